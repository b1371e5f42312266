#include "host/devices.h"

#include <charconv>
#include <optional>

namespace digitron {

namespace {

constexpr int kMostThreads = 1024;

// "cuda" -> 0, "cuda:2" -> 2, anything else -> nothing.
std::optional<int> cuda_index(std::string_view device) {
  if (device == "cuda") return 0;
  if (!device.starts_with("cuda:")) return std::nullopt;
  const std::string_view digits = device.substr(5);
  int index = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && index >= 0 ? std::optional(index) : std::nullopt;
}

}  // namespace

std::unique_ptr<Engine> make_engine(std::string_view device, const Plan& plan, int threads) {
  if (threads < 0 || threads > kMostThreads) {
    throw InputError("--threads is " + std::to_string(threads) + "; give 1 to " +
                     std::to_string(kMostThreads) + ", or 0 for every core");
  }
  if (device == "cpu") return make_cpu_engine(plan, threads);

  const std::optional<int> index = device == "auto" ? 0 : cuda_index(device);
  if (!index) {
    throw InputError("unknown device '" + std::string(device) +
                     "'; give auto, cpu, cuda or cuda:N (digitron devices lists what is here)");
  }
  EngineOrReason cuda = make_cuda_engine(plan, *index);
  if (auto* engine = std::get_if<std::unique_ptr<Engine>>(&cuda)) return std::move(*engine);
  if (device == "auto") return make_cpu_engine(plan, threads);
  throw InputError("device " + std::string(device) + " is not available: " +
                   std::get<Unavailable>(cuda).reason + ", or use --device cpu");
}

std::vector<DeviceReport> all_devices() {
  std::vector<DeviceReport> reports = cpu_devices();
  for (DeviceReport& report : cuda_devices()) reports.push_back(std::move(report));
  return reports;
}

}  // namespace digitron
