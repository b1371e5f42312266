// What NVIDIA's management library tells of GPUs: facts, clocks, and whether they are held back.
// Opened at run time, since it comes with the driver; a library, a function or a figure that is
// missing is an answer, with a reason in words, and never an error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "host/core/error.h"

namespace digitron {

inline constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";

struct GpuFacts {
  std::string name, uuid, driver;       // empty where NVML does not tell
  std::string compute_capability = {};  // "9.0"; likewise
  std::optional<uint64_t> memory_bytes = {};
};

// A GPU at one moment.
struct GpuReading {
  std::optional<unsigned> sm_mhz, memory_mhz, celsius;
  std::optional<double> watts;
  std::optional<double> joules;      // since the driver was loaded
  std::optional<uint64_t> throttle;  // reasons why the clocks are not the highest, a bit each
  std::vector<std::string> reasons;  // why what is missing is
};

// The bits of GpuReading::throttle in words, as nvidia-smi has them: "software power cap".
std::vector<std::string> throttle_words(uint64_t throttle);

// Those bits under which a GPU is slower than it could be, and not in the same way all the time:
// for power or heat, not because it is idle or its clocks are set.
inline constexpr uint64_t kHarmfulThrottle = 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x80;

class Nvml {
 public:
  // Opens and starts the library.
  static std::variant<Nvml, Unavailable> open(const std::string& library = kNvmlLibrary);

  std::vector<GpuFacts> gpus() const;

  // NVML counts all GPUs, CUDA those of CUDA_VISIBLE_DEVICES in its own order: a UUID is the same
  // in both.
  using Gpu = struct nvmlDevice_st*;
  std::variant<Gpu, Unavailable> find(const std::string& uuid) const;

  GpuReading read(Gpu gpu) const;
  std::optional<uint64_t> read_throttle(Gpu gpu) const;

 private:
  struct Close {
    void operator()(void* library) const;
  };
  explicit Nvml(std::unique_ptr<void, Close> library) : library_(std::move(library)) {}

  // Calls a function of the library; what kept it from answering, or "".
  template <class... Arguments>
  std::string failure(const char* function, Arguments... arguments) const;

  std::unique_ptr<void, Close> library_;
};

}  // namespace digitron
