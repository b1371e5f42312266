#include "host/devices/devices.h"

#include <spdlog/spdlog.h>

#include <charconv>
#include <optional>

#include "host/core/views.h"
#include "host/devices/cuda_module.h"
#include "host/reference/reference_engine.h"

namespace digitron {

namespace {

constexpr int kMostThreads = 1024;
constexpr int kMostStepsPerGraph = 1024;

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

void check_request(const DeviceRequest& request) {
  if (request.threads < 0 || request.threads > kMostThreads) {
    throw InputError("--threads is " + std::to_string(request.threads) + "; give 1 to " +
                     std::to_string(kMostThreads) + ", or auto");
  }
  const int steps = request.cuda.steps_per_graph;
  if (steps < 1 || steps > kMostStepsPerGraph) {
    throw InputError("--steps-per-graph is " + std::to_string(steps) + "; give 1 to " +
                     std::to_string(kMostStepsPerGraph));
  }
  if (request.cuda.evaluation_batch < 1) {
    throw InputError("--evaluation-batch is " + std::to_string(request.cuda.evaluation_batch) +
                     "; give 1 or more");
  }
}

// "cpu" or "reference".
MadeEngine make_host_engine(const DeviceRequest& request, const Plan& plan) {
  if (request.cuda.tf32) {
    throw InputError(
        "--precision tf32 is for GPUs, and this run would be on the CPU; leave it out");
  }
  const bool reference = request.device == "reference";
  const int threads = reference ? 1 : request.threads;
  std::unique_ptr<Engine> engine = reference
                                       ? with_views(std::make_unique<ReferenceEngine<double>>(plan))
                                       : make_cpu_engine(plan, threads);
  return {std::move(engine), "", [threads] { return cpu_ceilings(threads); }};
}

}  // namespace

std::jthread start_device(const DeviceRequest& request) {
  const std::optional<int> index = request.device == "auto" ? 0 : cuda_index(request.device);
  return index ? std::jthread(start_cuda, *index) : std::jthread();
}

MadeEngine make_engine(const DeviceRequest& request, const Plan& plan) {
  check_request(request);
  const std::string& device = request.device;
  if (device == "cpu" || device == "reference") return make_host_engine(request, plan);

  const std::optional<int> index = device == "auto" ? 0 : cuda_index(device);
  if (!index) {
    throw InputError(
        "unknown device '" + device +
        "'; give auto, cpu, cuda, cuda:N or reference (digitron devices lists what is here)");
  }
  EngineOrReason cuda = make_cuda_engine(plan, *index, request.cuda);
  if (auto* engine = std::get_if<std::unique_ptr<Engine>>(&cuda)) {
    return {std::move(*engine), "",
            [device = *index, options = request.cuda] { return cuda_ceilings(device, options); }};
  }
  const std::string& reason = std::get<Unavailable>(cuda).reason;
  if (device != "auto") {
    throw InputError("device " + device + " is not available: " + reason + ", or use --device cpu");
  }
  MadeEngine made = make_host_engine(request, plan);
  if (has_cuda_driver()) made.fallback = reason;
  if (!made.fallback.empty()) {
    spdlog::warn("Warning: an NVIDIA driver is here, but this runs on the CPU: {}", reason);
  }
  return made;
}

std::vector<DeviceReport> all_devices() {
  std::vector<DeviceReport> reports = cpu_devices();
  for (DeviceReport& report : cuda_devices()) reports.push_back(std::move(report));
  reports.push_back(
      {"reference", "one core, plain loops in double precision: to check the others by", true});
  return reports;
}

}  // namespace digitron
