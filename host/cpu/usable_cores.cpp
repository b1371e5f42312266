#include "host/cpu/usable_cores.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

namespace digitron {

namespace {

// numbers: "200000 100000", microseconds of CPU time in each period of so many; nothing for "max"
// and -1.
std::optional<CpuQuota> parse_quota(const std::string& numbers, const std::string& text) {
  std::istringstream words(numbers);
  double quota = 0, period = 0;
  if (!(words >> quota >> period) || !(quota > 0) || !(period > 0)) return std::nullopt;
  return CpuQuota{quota / period, text};
}

std::optional<CpuQuota> quota_v2(const ReadFile& read, const std::string& folder) {
  const std::string line = first_line(read(folder + "/cpu.max"));
  return parse_quota(line, "cpu.max " + line);
}

std::optional<CpuQuota> quota_v1(const ReadFile& read, const std::string& folder) {
  const std::string quota = first_line(read(folder + "/cpu.cfs_quota_us"));
  const std::string period = first_line(read(folder + "/cpu.cfs_period_us"));
  return parse_quota(quota + ' ' + period,
                     "cpu.cfs_quota_us " + quota + ", cpu.cfs_period_us " + period);
}

int allowed_cores() {
  // The kernel refuses a set that is smaller than its own; a set of these holds 1024.
  std::vector<cpu_set_t> sets(8);
  const size_t bytes = sets.size() * sizeof(cpu_set_t);
  if (sched_getaffinity(0, bytes, sets.data()) != 0) return 1;
  return std::max(1, CPU_COUNT_S(bytes, sets.data()));
}

}  // namespace

int UsableCores::count() const {
  if (!quota) return allowed;
  return static_cast<int>(std::clamp<double>(std::ceil(quota->cores), 1, allowed));
}

std::string UsableCores::text() const {
  const int usable = count();
  const std::string of_all = std::to_string(usable) + " of " + std::to_string(machine) +
                             (machine == 1 ? " core" : " cores");
  if (quota && quota->cores < allowed)
    return of_all + " by the cgroup's quota (" + quota->text + ')';
  if (usable < machine) return of_all + " by the process's affinity (taskset, cpuset)";
  return machine == 1 ? "the only core" : "all " + std::to_string(machine) + " cores";
}

std::optional<CpuQuota> cpu_quota(const ReadFile& read) {
  std::optional<CpuQuota> least;
  visit_control_groups(read, "cpu", [&](const std::string& folder, bool is_v2) {
    const std::optional<CpuQuota> quota = is_v2 ? quota_v2(read, folder) : quota_v1(read, folder);
    if (quota && (!least || quota->cores < least->cores)) least = quota;
  });
  return least;
}

UsableCores usable_cores() {
  const int allowed = allowed_cores();
  const auto machine = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  return {std::max(machine, allowed), allowed, cpu_quota(read_system_file)};
}

}  // namespace digitron
