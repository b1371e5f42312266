// A stand-in for NVIDIA's libnvidia-ml.so.1, with one GPU that runs as the environment says. What
// is in FAKE_NVML_FAILS (names, each with a blank after it) answers with an error.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kInvalidArgument = 2;  // NVML_ERROR_INVALID_ARGUMENT
constexpr int kNotSupported = 3;     // NVML_ERROR_NOT_SUPPORTED
constexpr int kNotFound = 6;         // NVML_ERROR_NOT_FOUND
constexpr const char* kUuid = "GPU-00000000-1111-2222-3333-444444444444";

int gpu;  // its address is the handle

int status(const char* function, const void* handle = &gpu) {
  const char* fails = std::getenv("FAKE_NVML_FAILS");
  if (fails && std::strstr(fails, (std::string(function) + " ").c_str())) return kNotSupported;
  return handle == &gpu ? 0 : kInvalidArgument;
}

unsigned long long number(const char* name, unsigned long long otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

int copy(const char* function, const char* text, char* to, unsigned bytes) {
  std::snprintf(to, bytes, "%s", text);
  return status(function);
}

}  // namespace

extern "C" {

int nvmlInit_v2() {
  return status(__func__);
}
int nvmlShutdown() {
  return 0;
}
const char* nvmlErrorString(int error) {
  return error == kNotSupported ? "Not Supported" : error == kNotFound ? "Not Found" : "Other";
}
int nvmlSystemGetDriverVersion(char* text, unsigned bytes) {
  return copy(__func__, "999.88.77", text, bytes);
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 1;
  return status(__func__);
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) {
  *handle = &gpu;
  return index == 0 ? status(__func__) : kInvalidArgument;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** handle) {
  *handle = &gpu;
  return std::strcmp(uuid, kUuid) == 0 ? status(__func__) : kNotFound;
}
int nvmlDeviceGetName(void* handle, char* text, unsigned bytes) {
  return copy(__func__, handle == &gpu ? "Fake GPU" : "", text, bytes);
}
int nvmlDeviceGetUUID(void* handle, char* text, unsigned bytes) {
  return copy(__func__, handle == &gpu ? kUuid : "", text, bytes);
}
int nvmlDeviceGetCudaComputeCapability(void* handle, int* major, int* minor) {
  *major = 9;
  *minor = 0;
  return status(__func__, handle);
}
int nvmlDeviceGetMemoryInfo(void* handle, unsigned long long* total_free_used) {
  total_free_used[0] = 85899345920;
  return status(__func__, handle);
}
int nvmlDeviceGetClockInfo(void* handle, unsigned clock, unsigned* mhz) {
  *mhz = static_cast<unsigned>(clock == 1 ? number("FAKE_NVML_SM_MHZ", 1980) : 2619);
  return clock == 1 || clock == 2 ? status(__func__, handle) : kInvalidArgument;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* handle, unsigned long long* reasons) {
  *reasons = number("FAKE_NVML_THROTTLE", 1);
  return status(__func__, handle);
}
int nvmlDeviceGetTemperature(void* handle, unsigned sensor, unsigned* celsius) {
  *celsius = 40;
  return sensor == 0 ? status(__func__, handle) : kInvalidArgument;
}
int nvmlDeviceGetPowerUsage(void* handle, unsigned* milliwatts) {
  *milliwatts = 123456;
  return status(__func__, handle);
}

int nvmlDeviceGetTotalEnergyConsumption(void* handle, unsigned long long* millijoules) {
  *millijoules = 7000500;
  return status(__func__, handle);
}

}  // extern "C"
