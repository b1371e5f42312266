// What this process and all others have had of the machine so far: counters that only grow, of
// which differences tell. What the system does not count is absent.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace digitron {

// What the CPUs did since the machine started, in seconds summed over them (/proc/stat, which
// counts ticks of cpu_tick() seconds).
struct CpuTimes {
  double busy = 0;   // for any process, or for the kernel
  double steal = 0;  // for another virtual machine, while this one had work
};

struct Usage {
  double wall_seconds = 0;               // by a clock that is never set
  double cpu_seconds = 0;                // of this process
  int64_t involuntary_switches = 0;      // times that a thread was taken off a CPU
  std::optional<double> waiting = {};    // seconds that threads stood ready with no CPU, summed
  std::optional<double> throttled = {};  // seconds that control groups' quotas stopped this process
  std::optional<CpuTimes> cpus = {};     // of the CPUs asked for
  std::optional<double> load = {};       // processes ready to run, a mean of about a minute
  std::optional<std::string> governor = {};  // of the first CPU's frequency
  std::optional<double> mhz = {};            // of the first CPU
};

double cpu_tick();

Usage read_usage(const std::filesystem::path& root, const std::vector<int>& cpus);

// These two by themselves, for polling: the time to read the rest grows with a machine's CPUs.
std::optional<double> read_waiting(const std::filesystem::path& root);
std::optional<double> read_throttled(const std::filesystem::path& root);

}  // namespace digitron
