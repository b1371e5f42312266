// The program's side of the module: linked in place of host/no_cuda.cpp.
#include "cuda/module.h"

#include <dlfcn.h>

#include <filesystem>

namespace digitron {

namespace {

using ModuleOrReason = std::variant<const CudaModule*, Unavailable>;

std::string loader_error() {
  const char* error = dlerror();
  return error ? error : "unknown error";
}

ModuleOrReason load_module() {
  if (!dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL)) {
    return Unavailable{"no NVIDIA driver is installed (libcuda.so.1 does not load); install one"};
  }
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string path = (program.parent_path() / "libdigitron_cuda.so").string();
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    return Unavailable{"the CUDA engine does not load (" + loader_error() +
                       "); install what is missing, or name its directory in LD_LIBRARY_PATH"};
  }
  const void* symbol = dlsym(library, "digitron_cuda_module");
  if (!symbol) return Unavailable{path + " is not of this build; build again"};
  return static_cast<const CudaModule*>(symbol);
}

// Loaded once, and never unloaded: engines live in it.
const ModuleOrReason& cuda_module() {
  static const ModuleOrReason module = load_module();
  return module;
}

}  // namespace

EngineOrReason make_cuda_engine(const Plan& plan, int device, const CudaOptions& options) {
  const ModuleOrReason& module = cuda_module();
  if (const auto* reason = std::get_if<Unavailable>(&module)) return *reason;
  return std::get<const CudaModule*>(module)->make_engine(plan, device, options);
}

std::vector<DeviceReport> cuda_devices() {
  const ModuleOrReason& module = cuda_module();
  if (const auto* reason = std::get_if<Unavailable>(&module)) {
    return {{"cuda", reason->reason, false}};
  }
  return std::get<const CudaModule*>(module)->devices();
}

}  // namespace digitron
