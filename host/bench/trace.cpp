#include "host/bench/trace.h"

#include <cmath>
#include <map>

#include "host/files/atomic_file.h"
#include "host/files/json.h"

namespace digitron {

namespace {

using TraceJson = nlohmann::ordered_json;

constexpr int kProcess = 1;  // the format wants one; all lanes are of the same

TraceJson lane_name(int thread, const std::string& name) {
  return {{"name", "thread_name"},
          {"ph", "M"},
          {"pid", kProcess},
          {"tid", thread},
          {"args", {{"name", name}}}};
}

// Whole nanoseconds, which is as exact as clocks are, in the format's microseconds.
double trace_microseconds(int64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1000;
}

TraceJson complete_event(int thread, const TraceEvent& event) {
  // An end is rounded like a begin: events that lie inside another, or side by side, still do.
  const int64_t begin = std::llround(1e9 * event.begin_seconds);
  const int64_t end = std::llround(1e9 * (event.begin_seconds + event.seconds));
  TraceJson json = {{"name", event.name},
                    {"cat", event.category},
                    {"ph", "X"},
                    {"ts", trace_microseconds(begin)},
                    {"dur", trace_microseconds(end - begin)},
                    {"pid", kProcess},
                    {"tid", thread}};
  if (event.step >= 0) json["args"]["step"] = event.step;
  if (event.block >= 0) json["args"]["block"] = event.block;
  return json;
}

}  // namespace

TraceJson trace_json(std::span<const TraceEvent> events) {
  std::map<std::string, int> threads;
  TraceJson all = TraceJson::array();
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
