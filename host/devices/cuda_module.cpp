#include "host/devices/cuda_module.h"

#include <dlfcn.h>

#include <filesystem>
#include <utility>

#include "host/core/views.h"

namespace digitron {

namespace {

using ModuleOrReason = std::variant<const CudaModule*, Unavailable>;

std::string loader_error() {
  const char* error = dlerror();
  return error ? error : "unknown error";
}

std::filesystem::path module_path() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return program.parent_path() / "libdigitron_cuda.so";
}

ModuleOrReason load_module() {
  const std::filesystem::path path = module_path();
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return Unavailable{
        "this build has no CUDA engine; install the CUDA toolkit, cuDNN and cuBLAS, then configure "
        "and build again"};
  }
  if (!has_cuda_driver()) {
    return Unavailable{"no NVIDIA driver is installed (libcuda.so.1 does not load); install one"};
  }
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    return Unavailable{"the CUDA engine does not load (" + loader_error() +
                       "); install what is missing, or name its directory in LD_LIBRARY_PATH"};
  }
  const void* symbol = dlsym(library, "digitron_cuda_module");
  if (!symbol) return Unavailable{path.string() + " is not of this build; build again"};
  return static_cast<const CudaModule*>(symbol);
}

// Loaded once, and never unloaded: engines live in it.
const ModuleOrReason& cuda_module() {
  static const ModuleOrReason module = load_module();
  return module;
}

}  // namespace

void open_cuda_trace() {
  const ModuleOrReason& module = cuda_module();
  if (const auto* loaded = std::get_if<const CudaModule*>(&module)) (*loaded)->open_trace();
}

std::vector<TraceEvent> close_cuda_trace() {
  const ModuleOrReason& module = cuda_module();
  const auto* loaded = std::get_if<const CudaModule*>(&module);
  return loaded ? (*loaded)->close_trace() : std::vector<TraceEvent>();
}

bool has_cuda_driver() {
  static const bool loads = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != nullptr;
  return loads;
}

void start_cuda(int device) {
  const ModuleOrReason& module = cuda_module();
  if (const auto* loaded = std::get_if<const CudaModule*>(&module)) (*loaded)->start(device);
}

void start_cuda_profiler() {
  const ModuleOrReason& module = cuda_module();
  if (const auto* loaded = std::get_if<const CudaModule*>(&module)) (*loaded)->start_profiler();
}

void stop_cuda_profiler() {
  const ModuleOrReason& module = cuda_module();
  if (const auto* loaded = std::get_if<const CudaModule*>(&module)) (*loaded)->stop_profiler();
}

EngineOrReason make_cuda_engine(const Plan& plan, int device, const CudaOptions& options) {
  const ModuleOrReason& module = cuda_module();
  if (const auto* reason = std::get_if<Unavailable>(&module)) return *reason;
  EngineOrReason made = std::get<const CudaModule*>(module)->make_engine(plan, device, options);
  auto* engine = std::get_if<std::unique_ptr<Engine>>(&made);
  if (engine) *engine = with_views(std::move(*engine));
  return made;
}

Ceilings cuda_ceilings(int device, const CudaOptions& options) {
  const ModuleOrReason& module = cuda_module();
  if (const auto* reason = std::get_if<Unavailable>(&module)) throw InputError(reason->reason);
  return std::get<const CudaModule*>(module)->ceilings(device, options);
}

std::vector<DeviceReport> cuda_devices() {
  const ModuleOrReason& module = cuda_module();
  if (const auto* reason = std::get_if<Unavailable>(&module)) {
    return {{"cuda", reason->reason, false}};
  }
  return std::get<const CudaModule*>(module)->devices();
}

}  // namespace digitron
