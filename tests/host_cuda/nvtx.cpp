// NVTX's ranges, each under the ranges that were open when it began.
#include <nvtx3/nvtx3.hpp>

#include <map>
#include <stdexcept>

#include "tests/host_cuda/device.h"

using namespace host_cuda;

namespace {

// Names live as long as the program, as in NVTX.
struct Names {
  std::vector<std::string> strings;
  std::map<uint32_t, std::string> categories;
};
Names& names() {
  static Names names;
  return names;
}

struct Ranges {
  std::vector<std::string> open;            // pushed: paths
  std::map<uint64_t, std::string> started;  // by what start() answered
  std::vector<std::string> all;
  uint64_t starts = 0;
};
Ranges& store() {
  static Ranges ranges;
  return ranges;
}

// "digitron/step [step] 13" below the ranges that are open.
std::string begin(const char* domain, const nvtx3::host::Event& event) {
  Ranges& ranges = store();
  const std::string parent = ranges.open.empty() ? domain : ranges.open.back();
  const std::string path = parent + "/" + names().strings.at(event.message);
  std::string text = path;
  if (event.category) text.append(" [").append(names().categories.at(*event.category)).append("]");
  if (event.payload) text.append(" ").append(std::to_string(*event.payload));
  ranges.all.push_back(text);
  return path;
}

}  // namespace

namespace host_cuda {

std::vector<std::string> ranges() {
  const std::lock_guard lock(mutex());
  return store().all;
}

size_t open_ranges() {
  const std::lock_guard lock(mutex());
  return store().open.size() + store().started.size();
}

void reset_ranges() {
  const std::lock_guard lock(mutex());
  store().all.clear();
}

}  // namespace host_cuda

namespace nvtx3::host {

void name_category(const char*, uint32_t id, const char* name) {
  const std::lock_guard lock(mutex());
  const auto [at, is_new] = names().categories.emplace(id, name);
  if (!is_new && at->second != name) {
    throw std::logic_error("nvtxDomainNameCategory: " + std::to_string(id) + " is " + at->second +
                           " and " + name);
  }
}

size_t register_string(const char*, const std::string& text) {
  const std::lock_guard lock(mutex());
  names().strings.push_back(text);
  return names().strings.size() - 1;
}

void push(const char* domain, const Event& event) {
  const std::lock_guard lock(mutex());
  store().open.push_back(begin(domain, event));
}

void pop() {
  const std::lock_guard lock(mutex());
  if (store().open.empty()) throw std::logic_error("nvtxDomainRangePop: no range is open");
  store().open.pop_back();
}

uint64_t start(const char* domain, const Event& event) {
  const std::lock_guard lock(mutex());
  const uint64_t id = ++store().starts;
  store().started.emplace(id, begin(domain, event));
  return id;
}

void end(uint64_t id) {
  const std::lock_guard lock(mutex());
  if (store().started.erase(id) == 0) throw std::logic_error("nvtxDomainRangeEnd: not open");
}

}  // namespace nvtx3::host
