#include "host/bench/trace.h"

#include <map>

#include "host/files/atomic_file.h"
#include "host/files/json.h"

namespace digitron {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kProcess = 1;  // the format wants one; all lanes are of the same

Json lane_name(int thread, const std::string& name) {
  return {{"name", "thread_name"},
          {"ph", "M"},
          {"pid", kProcess},
          {"tid", thread},
          {"args", {{"name", name}}}};
}

Json complete_event(int thread, const TraceEvent& event) {
  Json json = {{"name", event.name},
               {"cat", event.category},
               {"ph", "X"},
               {"ts", 1e6 * event.begin_seconds},
               {"dur", 1e6 * event.seconds},
               {"pid", kProcess},
               {"tid", thread}};
  if (event.step >= 0) json["args"]["step"] = event.step;
  if (event.block >= 0) json["args"]["block"] = event.block;
  return json;
}

}  // namespace

Json trace_json(std::span<const TraceEvent> events) {
  std::map<std::string, int> threads;
  Json all = Json::array();
  for (const TraceEvent& event : events) {
    const auto [lane, is_new] = threads.emplace(event.lane, static_cast<int>(threads.size()) + 1);
    if (is_new) all.push_back(lane_name(lane->second, event.lane));
    all.push_back(complete_event(lane->second, event));
  }
  return {{"traceEvents", std::move(all)}, {"displayTimeUnit", "ns"}};
}

void write_trace(const std::filesystem::path& path, std::span<const TraceEvent> events) {
  write_file_atomically(path, trace_json(events).dump() + '\n');
}

}  // namespace digitron
