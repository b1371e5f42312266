// How many cores this process may keep busy, and what says so.
#pragma once

#include <optional>
#include <string>

#include "host/cpu/control_group.h"

namespace digitron {

// A control group's limit on CPU time.
struct CpuQuota {
  double cores;      // 1.5: the time of one and a half
  std::string text;  // the file, and what it says: "cpu.max 150000 100000"
};

struct UsableCores {
  int machine = 1;  // that the machine has
  int allowed = 1;  // that this process may run on
  std::optional<CpuQuota> quota = {};

  // Threads that they keep busy, 1 or more: a part of a core counts as one.
  int count() const;
  // "all 2 cores", "2 of 16 cores by the process's affinity (taskset, cpuset)",
  // "2 of 16 cores by the cgroup's quota (cpu.max 200000 100000)"
  std::string text() const;
};

// The least quota of this process's control group and of those around it, by cgroup v2 (cpu.max) or
// v1 (cpu.cfs_quota_us): see the kernel's cgroup-v2.rst and sched-bwc.rst. What makes no sense is
// no quota.
std::optional<CpuQuota> cpu_quota(const ReadFile& read);

UsableCores usable_cores();

}  // namespace digitron
