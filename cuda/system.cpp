#include "cuda/system.h"

#include <cublasLt.h>
#include <dlfcn.h>

#include <cstdio>

#include "cuda/check.h"

namespace digitron {

namespace {

// "9.0": GCC 12 sees overlaps in sums of short strings that are not there.
std::string dotted(int major, int minor) {
  char text[32];
  std::snprintf(text, sizeof text, "%d.%d", major, minor);
  return text;
}

// The file that a function has been loaded from.
template <class Function>
std::string path_of(Function* function) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(function), &info) == 0) return "unknown";
  return info.dli_fname;
}

// "9.19.0", from a library's get_property(type, &value).
template <class GetProperty>
std::string version_of(GetProperty* get_property, const char* call) {
  int parts[3];
  for (const libraryPropertyType part : {MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL}) {
    check(get_property(part, &parts[part]), call);
  }
  return dotted(parts[0], parts[1]) + "." + std::to_string(parts[2]);
}

// As nvidia-smi writes it: "GPU-8c9e35f1-…".
std::string uuid_text(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (size_t i = 0; i < sizeof uuid.bytes; ++i) {
    char byte[3];
    std::snprintf(byte, sizeof byte, "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += byte;
  }
  return text;
}

}  // namespace

int driver_version() {
  int version = 0;
  check(cudaDriverGetVersion(&version), "cudaDriverGetVersion");
  return version;
}

int runtime_version() {
  int version = 0;
  check(cudaRuntimeGetVersion(&version), "cudaRuntimeGetVersion");
  return version;
}

std::string cuda_version_text(int version) {
  return dotted(version / 1000, version % 1000 / 10);
}

std::vector<Detail> system_details(int device) {
  cudaDeviceProp gpu{};
  check(cudaGetDeviceProperties(&gpu, device), "cudaGetDeviceProperties");
  return {{"gpu", "name", gpu.name},
          {"gpu", "uuid", uuid_text(gpu.uuid)},
          {"gpu", "compute capability", dotted(gpu.major, gpu.minor)},
          {"libraries", "CUDA of the driver", cuda_version_text(driver_version())},
          {"libraries", "CUDA", cuda_version_text(runtime_version())},
          {"libraries", "cuDNN", version_of(&cudnnGetProperty, "cudnnGetProperty")},
          {"libraries", "cuDNN path", path_of(&cudnnCreate)},
          {"libraries", "cuBLAS", version_of(&cublasGetProperty, "cublasGetProperty")},
          {"libraries", "cuBLAS path", path_of(&cublasCreate)},
          {"libraries", "cuBLASLt", version_of(&cublasLtGetProperty, "cublasLtGetProperty")},
          {"libraries", "cuBLASLt path", path_of(&cublasLtCreate)}};
}

}  // namespace digitron
