// How devices are asked for and what they answer: what the engines' factories share with the
// program, and the CUDA module with both.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "host/core/engine.h"
#include "host/core/error.h"

namespace digitron {

// The ways through a training step on a GPU: the libraries' operations layer by layer, which takes
// any plan, or a few kernels for the whole step. kAuto chooses by a rule.
enum class StepKind { kAuto, kFused, kLayers };

inline constexpr const char* kStepWords[] = {"auto", "fused", "layers"};  // as --step has them

inline std::string step_word(StepKind kind) {
  return kStepWords[static_cast<int>(kind)];
}

// Throws InputError that lists the words.
inline StepKind step_kind(const std::string& word) {
  for (const StepKind kind : {StepKind::kAuto, StepKind::kFused, StepKind::kLayers}) {
    if (step_word(kind) == word) return kind;
  }
  throw InputError("--step is '" + word + "'; give auto, fused or layers");
}

// How the CUDA engine runs; what it computes does not depend on the first seven but for rounding.
struct CudaOptions {
  StepKind step = StepKind::kAuto;
  int blocks_per_sample = 0;  // of the fused step: 1, 2 from compute capability 9.0 on, 0: the most
  bool dependent_launch = true;  // likewise: kernels start before the one in front has ended
  // Likewise: LeNet-5 and the MLP have kernels that are compiled for them alone.
  bool constant_program = true;
  bool graph = true;         // record the step and replay it; otherwise the same calls one by one
  int steps_per_graph = 32;  // steps that one graph launch covers, at least 1
  int evaluation_batch = 1000;  // images of an evaluation at once, fewer where they are too large
  bool tf32 = false;            // let tensor cores round the factors of products to 10 bits
  bool deterministic = true;    // only algorithms that give the same bits every time
};

// The most that a device gets done, measured.
struct Ceilings {
  double flops_per_second;
  double bytes_per_second;  // to and from memory that no cache holds
  std::string compute;      // how the one was measured: "multiply-adds, AVX-512, 2 threads"
  std::string memory;       // and the other
};

using EngineOrReason = std::variant<std::unique_ptr<Engine>, Unavailable>;

// A device that can run here, or a kind that cannot, with the reason.
struct DeviceReport {
  std::string name;         // "cpu", "cuda:0", "cuda", "reference"
  std::string description;  // what it is, or why it is not available
  bool available;
  std::vector<Detail> details = {};
};

// threads: 0 is as many at a time as are fastest, of the cores that this process may use. Throws
// MachineError when a number of threads cannot be started.
std::unique_ptr<Engine> make_cpu_engine(const Plan& plan, int threads);
std::vector<DeviceReport> cpu_devices();
Ceilings cpu_ceilings(int threads);  // takes about a second
// Of a training step's multiply-adds those of the CPU engine's thread that has the most.
int64_t cpu_longest_work(const Plan& plan, int threads);

// The CUDA engine is a module, libdigitron_cuda.so beside the program, which opens it only where
// there is a driver: so a run on the CPU pays nothing for libraries of a gigabyte, and the program
// starts, and can say what is missing, on machines that have none of them. It offers this under the
// name digitron_cuda_module. What is thrown inside it, InputError and MachineError among it, is
// caught outside.
struct CudaModule {
  // Loads the libraries and starts them on the device, so that make_engine finds it done; for
  // another thread than make_engine's. Says nothing of errors: make_engine meets them again.
  void (*start)(int device);
  EngineOrReason (*make_engine)(const Plan& plan, int device, const CudaOptions& options);
  std::vector<DeviceReport> (*devices)();
  // A profiler that waits for them (cudaProfilerStart, cudaProfilerStop) captures what lies
  // between.
  void (*start_profiler)();
  void (*stop_profiler)();
  // Between them, start_profiler and stop_profiler put the kernels on a timeline too, which
  // close_trace returns. To be opened before graphs are recorded. Throws InputError without CUPTI.
  void (*open_trace)();
  std::vector<TraceEvent> (*close_trace)();
  // On a device that make_engine takes. Throws MachineError.
  Ceilings (*ceilings)(int device, const CudaOptions& options);
};

// These go through the module. device: an index, as in "cuda:1".
EngineOrReason make_cuda_engine(const Plan& plan, int device, const CudaOptions& options);
std::vector<DeviceReport> cuda_devices();
Ceilings cuda_ceilings(int device, const CudaOptions& options);  // throws InputError without one

}  // namespace digitron
