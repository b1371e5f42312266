// Was the machine quiet while something was measured? What the threads had of the CPU time that
// they asked for, what others took, and what held a GPU back.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/machine/machine.h"
#include "host/machine/nvml.h"
#include "host/machine/usage.h"

namespace digitron {

// A GPU between two moments.
struct GpuQuiet {
  GpuReading before, after;
  uint64_t throttle = 0;              // every reason that was seen
  std::optional<double> joules = {};  // in between
  std::string joules_reason = {};     // why they are absent
};

struct Quiet {
  double wall_seconds = 0;
  int threads = 0;
  std::optional<double> cpu_share = {};  // CPU time over wall time x threads; absent for no threads
  std::optional<double> waiting_seconds = {};  // threads stood ready with no CPU, summed over them
  int64_t involuntary_switches = 0;
  std::optional<double> load = {};
  std::optional<double> steal_share = {};   // of the usable CPUs' time, for other virtual machines
  std::optional<double> others_share = {};  // of the usable CPUs' time, for other processes
  std::optional<double> throttled_seconds = {};
  std::optional<std::string> governor = {};
  std::optional<double> mhz = {};
  std::optional<GpuQuiet> gpu = {};
  std::string gpu_reason = {};             // why a GPU that was asked for is absent
  std::vector<std::string> warnings = {};  // a sentence each: what happened, and what to do

  // Everything, under these names; null for what is absent. "gpu" only where one was asked for.
  nlohmann::ordered_json json() const;
};

// What happened between two readings, threads as for QuietWatch::finish, on so many usable CPUs; no
// GPU.
Quiet judge(const Usage& before, const Usage& after, int threads, size_t cpus);

// Adds what happened to the GPU, of which throttle reasons were `seen` meanwhile.
void judge_gpu(Quiet& quiet, const GpuReading& before, const GpuReading& after, uint64_t seen);

// What a QuietWatch watches, and where it looks.
struct QuietSources {
  std::string gpu_uuid = {};  // as CUDA and NVML name it; empty: no GPU
  std::filesystem::path root = kSystemRoot;
  std::string nvml = kNvmlLibrary;
  std::vector<int> cpus = usable_cpus();
};

class QuietWatch {
 public:
  // Starts. It throws nothing for what the system does not tell.
  explicit QuietWatch(QuietSources sources = {});

  // Was a sample that was taken since the last call (or the start) grossly disturbed, so that it is
  // better discarded and repeated? Threads stood ready with no CPU, a quota stopped them, or the
  // GPU was held back. 0.1 to 0.2 ms with two threads and no GPU: to ask every 100 ms.
  bool disturbed();

  // What happened since the start. threads: those that computed all the time, as the CPU engine's
  // do, which wait by spinning; 0 for a GPU's work, whose host thread may sleep.
  Quiet finish(int threads);

 private:
  uint64_t poll_throttle();

  QuietSources sources_;
  std::variant<Nvml, Unavailable> nvml_;
  std::variant<Nvml::Gpu, Unavailable> gpu_;
  Usage before_;
  Usage polled_;  // at the last disturbed(): only wall_seconds, waiting and throttled
  GpuReading gpu_before_;
  uint64_t throttle_ = 0;
};

}  // namespace digitron
