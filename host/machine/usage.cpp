#include "host/machine/usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>

#include "host/machine/system_file.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

// Adds up the lines "cpu3 USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL ..." of these CPUs.
std::optional<CpuTimes> read_cpu_times(const fs::path& root, const std::vector<int>& cpus) {
  std::ifstream file(root / "proc/stat");
  CpuTimes times;
  bool found = false;
  for (std::string line; std::getline(file, line) && line.starts_with("cpu");) {
    const std::optional<int64_t> cpu = leading_number(line.substr(3));
    if (!cpu || std::find(cpus.begin(), cpus.end(), *cpu) == cpus.end()) continue;
    std::istringstream fields(line.substr(line.find(' ')));
    double user = 0, nice = 0, system = 0, idle = 0, io_wait = 0, irq = 0, soft_irq = 0, steal = 0;
    fields >> user >> nice >> system >> idle >> io_wait >> irq >> soft_irq >> steal;
    if (!fields) continue;
    times.busy += cpu_tick() * (user + nice + system + irq + soft_irq);
    times.steal += cpu_tick() * steal;
    found = true;
  }
  return found ? std::optional(times) : std::nullopt;
}

std::optional<double> read_load(const fs::path& root) {
  std::istringstream line(first_line(root / "proc/loadavg").value_or(""));
  double load = 0;
  return line >> load ? std::optional(load) : std::nullopt;
}

}  // namespace

double cpu_tick() {
  static const double tick = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
  return tick;
}

std::optional<double> read_waiting(const fs::path& root) {
  std::optional<double> waiting;
  std::error_code error;  // a thread may end while this looks
  for (fs::directory_iterator thread(root / "proc/self/task", error), end; !error && thread != end;
       thread.increment(error)) {
    // "NANOSECONDS-ON-A-CPU NANOSECONDS-READY TIMES", see the kernel's sched-stats.rst.
    std::istringstream line(first_line(thread->path() / "schedstat").value_or(""));
    double running = 0, ready = 0;
    if (line >> running >> ready) waiting = waiting.value_or(0) + 1e-9 * ready;
  }
  return waiting;
}

std::optional<double> read_throttled(const fs::path& root) {
  std::optional<double> throttled;
  for (const fs::path& group : control_groups(root)) {
    const auto microseconds = leading_number(value_of(group / "cpu.stat", "throttled_usec"));
    if (microseconds) {
      throttled = throttled.value_or(0) + 1e-6 * static_cast<double>(*microseconds);
    }
  }
  return throttled;
}

Usage read_usage(const fs::path& root, const std::vector<int>& cpus) {
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now().time_since_epoch();
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  Usage usage{.wall_seconds = wall.count(),
              .cpu_seconds = seconds_of(own.ru_utime) + seconds_of(own.ru_stime),
              .involuntary_switches = own.ru_nivcsw,
              .waiting = read_waiting(root),
              .throttled = read_throttled(root),
              .cpus = read_cpu_times(root, cpus),
              .load = read_load(root)};
  const int first = cpus.empty() ? 0 : cpus.front();
  const fs::path frequency =
      root / "sys/devices/system/cpu" / ("cpu" + std::to_string(first)) / "cpufreq";
  usage.governor = first_line(frequency / "scaling_governor");
  if (const auto khz = leading_number(first_line(frequency / "scaling_cur_freq"))) {
    usage.mhz = 1e-3 * static_cast<double>(*khz);
  }
  return usage;
}

}  // namespace digitron
