// The functions, their arguments and numbers are those of NVML, which comes with NVIDIA's driver:
// nvml.h of the CUDA toolkit. Declared here, since a build without the toolkit has them too.
#include "host/machine/nvml.h"

#include <dlfcn.h>

namespace digitron {

namespace {

constexpr unsigned kClockSm = 1;         // NVML_CLOCK_SM
constexpr unsigned kClockMemory = 2;     // NVML_CLOCK_MEM
constexpr unsigned kTemperatureGpu = 0;  // NVML_TEMPERATURE_GPU
constexpr unsigned kTextBytes = 96;      // at least NVML_DEVICE_UUID_V2_BUFFER_SIZE

// nvmlMemory_t, in bytes.
struct Memory {
  unsigned long long total, free, used;
};

// nvmlClocksEventReasons, in the order of their bits, as nvidia-smi -q names them.
constexpr const char* kThrottleWords[] = {"idle",
                                          "application clocks setting",
                                          "software power cap",
                                          "hardware slowdown",
                                          "sync boost",
                                          "software thermal slowdown",
                                          "hardware thermal slowdown",
                                          "hardware power brake",
                                          "display clock setting"};

}  // namespace

std::vector<std::string> throttle_words(uint64_t throttle) {
  std::vector<std::string> words;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if ((throttle >> bit & 1) == 0) continue;
    words.push_back(bit < std::size(kThrottleWords) ? kThrottleWords[bit]
                                                    : "reason of bit " + std::to_string(bit));
  }
  return words;
}

void Nvml::Close::operator()(void* library) const {
  if (void* shutdown = dlsym(library, "nvmlShutdown")) reinterpret_cast<int (*)()>(shutdown)();
  dlclose(library);
}

template <class... Arguments>
std::string Nvml::failure(const char* function, Arguments... arguments) const {
  const std::string name = function;
  void* const symbol = dlsym(library_.get(), function);
  if (!symbol) return name + " is not in the driver's NVML; update the driver";
  const int status = reinterpret_cast<int (*)(Arguments...)>(symbol)(arguments...);
  if (status == 0) return "";
  void* const text = dlsym(library_.get(), "nvmlErrorString");
  return name + " failed: " +
         (text ? reinterpret_cast<const char* (*)(int)>(text)(status)
               : "error " + std::to_string(status));
}

std::variant<Nvml, Unavailable> Nvml::open(const std::string& library) {
  void* const opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!opened) {
    const char* const error = dlerror();
    return Unavailable{"NVML does not load (" + std::string(error ? error : library) +
                       "); it comes with NVIDIA's driver"};
  }
  Nvml nvml(std::unique_ptr<void, Close>{opened});
  std::string failure = nvml.failure("nvmlInit_v2");
  if (!failure.empty()) return Unavailable{std::move(failure)};
  return nvml;
}

std::vector<GpuFacts> Nvml::gpus() const {
  char driver[kTextBytes] = "";
  static_cast<void>(failure("nvmlSystemGetDriverVersion", &driver[0], kTextBytes));
  unsigned count = 0;
  static_cast<void>(failure("nvmlDeviceGetCount_v2", &count));
  std::vector<GpuFacts> gpus;
  for (unsigned i = 0; i < count; ++i) {
    Gpu gpu = nullptr;
    if (!failure("nvmlDeviceGetHandleByIndex_v2", i, &gpu).empty()) continue;
    char name[kTextBytes] = "", uuid[kTextBytes] = "";
    static_cast<void>(failure("nvmlDeviceGetName", gpu, &name[0], kTextBytes));
    static_cast<void>(failure("nvmlDeviceGetUUID", gpu, &uuid[0], kTextBytes));
    GpuFacts facts{.name = name, .uuid = uuid, .driver = driver};
    int major = 0, minor = 0;
    if (failure("nvmlDeviceGetCudaComputeCapability", gpu, &major, &minor).empty()) {
      facts.compute_capability = std::to_string(major) + "." + std::to_string(minor);
    }
    Memory memory{};
    if (failure("nvmlDeviceGetMemoryInfo", gpu, &memory).empty()) {
      facts.memory_bytes = memory.total;
    }
    gpus.push_back(std::move(facts));
  }
  return gpus;
}

std::variant<Nvml::Gpu, Unavailable> Nvml::find(const std::string& uuid) const {
  Gpu gpu = nullptr;
  std::string reason = failure("nvmlDeviceGetHandleByUUID", uuid.c_str(), &gpu);
  if (!reason.empty()) return Unavailable{"NVML knows no " + uuid + ": " + reason};
  return gpu;
}

std::optional<uint64_t> Nvml::read_throttle(Gpu gpu) const {
  unsigned long long bits = 0;  // the function's older name, which newer drivers have too
  const bool told = failure("nvmlDeviceGetCurrentClocksThrottleReasons", gpu, &bits).empty();
  return told ? std::optional<uint64_t>(bits) : std::nullopt;
}

GpuReading Nvml::read(Gpu gpu) const {
  GpuReading reading;
  // What is told goes through `keep`; why something is not goes into the reasons.
  const auto ask = [&](auto keep, auto value, const char* function, auto... arguments) {
    std::string reason = this->failure(function, gpu, arguments..., &value);
    if (reason.empty()) {
      keep(value);
    } else {
      reading.reasons.push_back(std::move(reason));
    }
  };
  const auto into = [](auto& place) { return [&place](auto value) { place = value; }; };
  const auto thousandths = [](std::optional<double>& place) {
    return [&place](auto value) { place = 1e-3 * static_cast<double>(value); };
  };
  ask(into(reading.sm_mhz), 0u, "nvmlDeviceGetClockInfo", kClockSm);
  ask(into(reading.memory_mhz), 0u, "nvmlDeviceGetClockInfo", kClockMemory);
  ask(into(reading.throttle), 0ull, "nvmlDeviceGetCurrentClocksThrottleReasons");
  ask(into(reading.celsius), 0u, "nvmlDeviceGetTemperature", kTemperatureGpu);
  ask(thousandths(reading.watts), 0u, "nvmlDeviceGetPowerUsage");
  ask(thousandths(reading.joules), 0ull, "nvmlDeviceGetTotalEnergyConsumption");
  return reading;
}

}  // namespace digitron
