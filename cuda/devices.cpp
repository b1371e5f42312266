// Which GPUs are here, and exactly why one cannot be used. DIGITRON_LEAST_CAPABILITY is the lowest
// architecture that the kernels were built for: 75 for 7.5.
#include <cstdio>
#include <memory>

#include <cuda_profiler_api.h>

#include "cuda/activity_trace.h"
#include "cuda/ceilings.h"
#include "cuda/check.h"
#include "cuda/context.h"
#include "cuda/cuda_engine.h"
#include "cuda/module.h"
#include "cuda/system.h"
#include "host/core/error.h"

namespace digitron {

namespace {

std::string capability_text(int capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

// How many GPUs there are, or why there is none.
std::variant<int, Unavailable> count_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  static_cast<void>(cudaGetLastError());  // it is answered here
  if (status == cudaErrorInsufficientDriver) {
    return Unavailable{"the NVIDIA driver is too old: it is for CUDA " +
                       cuda_version_text(driver_version()) + ", and this build needs " +
                       cuda_version_text(runtime_version()) + "; update the driver"};
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    return Unavailable{"the NVIDIA driver finds no GPU; check nvidia-smi and CUDA_VISIBLE_DEVICES"};
  }
  if (status != cudaSuccess) {
    return Unavailable{"cudaGetDeviceCount failed: " + std::string(cudaGetErrorString(status)) +
                       "; check the driver with nvidia-smi"};
  }
  return count;
}

DeviceReport report(int device) {
  cudaDeviceProp gpu{};
  check(cudaGetDeviceProperties(&gpu, device), "cudaGetDeviceProperties");
  const int capability = 10 * gpu.major + gpu.minor;
  char memory[32];
  std::snprintf(memory, sizeof memory, "%.1f GiB",
                static_cast<double>(gpu.totalGlobalMem) / (1 << 30));
  DeviceReport report{"cuda:" + std::to_string(device),
                      std::string(gpu.name) + ", compute capability " + capability_text(capability),
                      capability >= DIGITRON_LEAST_CAPABILITY, system_details(device)};
  report.description += report.available
                            ? ", " + std::string(memory)
                            : ", is too old: this build is for " +
                                  capability_text(DIGITRON_LEAST_CAPABILITY) +
                                  " and later; build for it with -DCMAKE_CUDA_ARCHITECTURES=" +
                                  std::to_string(capability);
  return report;
}

std::vector<DeviceReport> devices() {
  const auto count = count_devices();
  if (const auto* none = std::get_if<Unavailable>(&count)) return {{"cuda", none->reason, false}};
  std::vector<DeviceReport> reports;
  for (int device = 0; device < std::get<int>(count); ++device) reports.push_back(report(device));
  return reports;
}

// What takes long the first time, and little the second.
void start(int device) {
  try {
    const Context context(device, {});
  } catch (const MachineError&) {
    static_cast<void>(cudaGetLastError());
  }
}

EngineOrReason make_engine(const Plan& plan, int device, const CudaOptions& options) {
  const auto count = count_devices();
  if (const auto* none = std::get_if<Unavailable>(&count)) return *none;
  if (device >= std::get<int>(count)) {
    const int here = std::get<int>(count);
    return Unavailable{"this machine has " + std::to_string(here) + (here == 1 ? " GPU" : " GPUs") +
                       ", counted from 0; see digitron devices"};
  }
  if (const DeviceReport gpu = report(device); !gpu.available) {
    return Unavailable{gpu.description};
  }
  return std::make_unique<CudaEngine>(plan, device, options);
}

// Null where none is open.
std::unique_ptr<ActivityTrace>& trace() {
  static std::unique_ptr<ActivityTrace> trace;
  return trace;
}

void start_profiler() {
  check(cudaProfilerStart(), "cudaProfilerStart");
  if (trace()) trace()->start();
}

void stop_profiler() {
  if (trace()) trace()->stop();
  check(cudaProfilerStop(), "cudaProfilerStop");
}

void open_trace() {
  trace() = std::make_unique<ActivityTrace>();
}

std::vector<TraceEvent> close_trace() {
  if (!trace()) return {};
  std::vector<TraceEvent> events = trace()->events();
  trace().reset();
  return events;
}

}  // namespace

}  // namespace digitron

extern "C" const digitron::CudaModule digitron_cuda_module{
    .start = digitron::start,
    .make_engine = digitron::make_engine,
    .devices = digitron::devices,
    .start_profiler = digitron::start_profiler,
    .stop_profiler = digitron::stop_profiler,
    .open_trace = digitron::open_trace,
    .close_trace = digitron::close_trace,
    .ceilings = digitron::measure_cuda_ceilings};
