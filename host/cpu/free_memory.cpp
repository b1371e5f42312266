#include "host/cpu/free_memory.h"

#include <charconv>
#include <optional>
#include <sstream>

#include "host/core/error.h"

namespace digitron {

namespace {

// Nothing for "max", which is no limit.
std::optional<uint64_t> number(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// The number behind a word at the beginning of a line.
std::optional<uint64_t> entry(const std::string& table, const std::string& word) {
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, value;
    if (words >> name >> value && name == word) return number(value);
  }
  return std::nullopt;
}

// Gigabytes with two digits behind the point.
std::string gigabytes(uint64_t bytes) {
  const uint64_t hundredths = bytes / 10'000'000;
  const std::string part = std::to_string(100 + hundredths % 100).substr(1);
  return std::to_string(hundredths / 100) + '.' + part + " GB";
}

}  // namespace

FreeMemory free_memory(const ReadFile& read) {
  FreeMemory free{UINT64_MAX, "of the machine"};
  if (const auto kilobytes = entry(read("/proc/meminfo"), "MemAvailable:"))
    free.bytes = *kilobytes * 1024;
  visit_control_groups(read, "memory", [&](const std::string& folder, bool is_v2) {
    const std::string limit = is_v2 ? "memory.max" : "memory.limit_in_bytes";
    const auto most = number(first_line(read(folder + '/' + limit)));
    const auto used =
        number(first_line(read(folder + (is_v2 ? "/memory.current" : "/memory.usage_in_bytes"))));
    if (!most || !used) return;
    const std::string statistics = read(folder + "/memory.stat");
    const uint64_t cached =
        entry(statistics, is_v2 ? "inactive_file" : "total_inactive_file").value_or(0);
    const uint64_t left = *most + cached > *used ? *most + cached - *used : 0;
    if (left < free.bytes) {
      free = {left, "of the cgroup (" + limit + ' ' + std::to_string(*most) + ')'};
    }
  });
  return free;
}

void require_memory(uint64_t bytes, const std::string& needs, const FreeMemory& free) {
  if (bytes <= free.bytes) return;
  throw MachineError(needs + " needs " + gigabytes(bytes) + " of memory, and " +
                     gigabytes(free.bytes) + ' ' + free.text +
                     " are free; take a smaller model or batch, or fewer --threads");
}

}  // namespace digitron
