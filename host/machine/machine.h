// The machine that a figure was measured on, as run.json, bench files and `digitron devices --json`
// have it. Read from /proc and /sys, not by hwloc, which does the same and more: with the plugins
// that Debian recommends beside it, it opens OpenCL and X11 first, 2 to 26 ms on two cores, and
// each start of the program would pay 1 ms for the library alone.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/core/engine.h"
#include "host/machine/nvml.h"
#include "host/machine/system_file.h"

namespace digitron {

// "AMD EPYC 9655"; "unknown" where the system does not say.
std::string cpu_name(const std::filesystem::path& root = kSystemRoot);

// The numbers of the logical CPUs that this process may use (its affinity).
std::vector<int> usable_cpus();

// All but the GPUs: cpu; sockets, cores and threads among `cpus`; cpu_quota in CPUs (cgroup v2), or
// null; caches in bytes, of the first of the CPUs; memory_bytes; os; kernel; hypervisor, or null.
// What the system does not tell is null.
nlohmann::ordered_json host_json(const std::filesystem::path& root = kSystemRoot,
                                 const std::vector<int>& cpus = usable_cpus());

// One object a GPU, in NVML's order: name, uuid, driver, compute_capability, memory_bytes.
nlohmann::ordered_json gpus_json(const Nvml& nvml);

// host_json, and gpus_json as "gpus" where NVML opens. It starts the driver, which may take long
// where nothing else keeps it started: what runs on the CPU alone is content with host_json.
nlohmann::ordered_json machine_json();

// The UUID of the GPU that an engine runs on, by its details; empty for one that runs on none.
std::string gpu_uuid(const std::vector<Detail>& details);

}  // namespace digitron
