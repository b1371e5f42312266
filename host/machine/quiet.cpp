#include "host/machine/quiet.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "host/machine/json_or_null.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// Of the CPU time that the threads asked for. Two that had two CPUs to themselves lost under 1 %,
// to interrupts and the kernel's own threads.
constexpr double kMostLost = 0.03;
// Of the usable CPUs' time. More than a system's daemons take at rest, and whoever takes it shares
// caches, power and memory, even where a CPU is left for every thread.
constexpr double kMostOthers = 0.05;
// Of the usable CPUs' time: a virtual machine that has its CPUs to itself loses none.
constexpr double kMostSteal = 0.01;
// Of the clock's frequency, from the start to the end: more, and it was still on its way.
constexpr double kMostClockChange = 0.05;
// Of the time since the last look: what costs a sample more than noise does.
constexpr double kGrossWaiting = 0.02;
constexpr double kGrossWaitingSeconds = 1e-3;  // and no less: one switch costs some of this
// NVML's counter of energy moves in steps of the driver's own, which would count in less.
constexpr double kLeastEnergySeconds = 5;

std::optional<double> difference(std::optional<double> before, std::optional<double> after) {
  if (!before || !after) return std::nullopt;
  return std::max(0.0, *after - *before);  // a thread that ended took its share with it
}

std::string percent(double share) {
  return fmt::format("{:.0f} %", 100 * share);
}

bool moved(std::optional<double> before, std::optional<double> after) {
  return before && after && std::abs(*after - *before) > kMostClockChange * *before;
}

bool crowded(const Quiet& quiet, size_t cpus) {
  return cpus > 0 && quiet.threads > static_cast<int>(cpus);
}

bool throttled(const Quiet& quiet) {
  return quiet.throttled_seconds.value_or(0) > 0;
}

bool shared(const Quiet& quiet) {
  return quiet.others_share.value_or(0) > kMostOthers;
}

// Why the threads had less than they asked for, and what to do, as far as the figures tell.
std::string cause(const Quiet& quiet, size_t cpus) {
  if (crowded(quiet, cpus)) {
    return fmt::format("{} threads shared {} CPUs: take --threads {}", quiet.threads, cpus, cpus);
  }
  if (throttled(quiet)) {
    return fmt::format(
        "the control group's quota stopped them for {:.2f} s: raise its cpu.max, or take fewer "
        "--threads",
        *quiet.throttled_seconds);
  }
  if (shared(quiet)) {
    return fmt::format(
        "other processes took {} of the usable CPUs' time: stop them, or wait until they end",
        percent(*quiet.others_share));
  }
  return "look for what else runs here (top), or take fewer --threads";
}

void judge_threads(Quiet& quiet, size_t cpus) {
  const double asked = quiet.wall_seconds * std::max(quiet.threads, 1);
  const double waited = asked > 0 ? quiet.waiting_seconds.value_or(0) / asked : 0;
  const double lost = std::max(1 - quiet.cpu_share.value_or(1), waited);
  // A thread that sleeps of its own accord, as between two calls of an engine, has lost nothing.
  const bool taken = waited > kMostLost || crowded(quiet, cpus) || throttled(quiet) ||
                     shared(quiet) || !quiet.waiting_seconds;
  if (lost > kMostLost && taken) {
    quiet.warnings.push_back(fmt::format(
        "the threads had {} of the CPU time they asked for, and were taken off a CPU {} times; {}",
        percent(1 - lost), quiet.involuntary_switches, cause(quiet, cpus)));
  } else if (throttled(quiet)) {
    quiet.warnings.push_back(cause(quiet, cpus));
  } else if (shared(quiet)) {
    quiet.warnings.push_back(cause(quiet, cpus) +
                             "; the threads lost no time, but caches, power and memory are shared");
  }
  if (quiet.steal_share.value_or(0) > kMostSteal) {
    quiet.warnings.push_back(fmt::format(
        "the hypervisor gave {:.1f} % of the CPUs' time to other virtual machines: measure again "
        "later, or on a machine of its own",
        100 * *quiet.steal_share));
  }
}

void judge_clock(Quiet& quiet, const Usage& before, const Usage& after) {
  if (!moved(before.mhz, after.mhz)) return;
  quiet.warnings.push_back(
      fmt::format("the CPU's clock was {:.0f} MHz at the start and {:.0f} MHz at the end (governor "
                  "{}): warm up "
                  "for longer, or set the governor to performance",
                  *before.mhz, *after.mhz, quiet.governor.value_or("unknown")));
}

ordered_json reading_json(const GpuReading& reading) {
  ordered_json throttle;
  if (reading.throttle) throttle = throttle_words(*reading.throttle);
  return {
      {"sm_mhz", json_or_null(reading.sm_mhz)}, {"memory_mhz", json_or_null(reading.memory_mhz)},
      {"throttle", std::move(throttle)},        {"celsius", json_or_null(reading.celsius)},
      {"watts", json_or_null(reading.watts)},   {"reasons", reading.reasons}};
}

ordered_json gpu_json(const GpuQuiet& gpu) {
  ordered_json told{{"before", reading_json(gpu.before)},
                    {"after", reading_json(gpu.after)},
                    {"throttle", throttle_words(gpu.throttle)},
                    {"joules", json_or_null(gpu.joules)}};
  if (!gpu.joules) told["joules_reason"] = gpu.joules_reason;
  return told;
}

}  // namespace

Quiet judge(const Usage& before, const Usage& after, int threads, size_t cpus) {
  const double wall = after.wall_seconds - before.wall_seconds;
  const double own = after.cpu_seconds - before.cpu_seconds;
  Quiet quiet{.wall_seconds = wall,
              .threads = threads,
              .waiting_seconds = difference(before.waiting, after.waiting),
              .involuntary_switches = after.involuntary_switches - before.involuntary_switches,
              .load = after.load,
              .throttled_seconds = difference(before.throttled, after.throttled),
              .governor = after.governor,
              .mhz = after.mhz};
  if (threads > 0 && wall > 0) quiet.cpu_share = own / (wall * threads);
  const double machine = wall * static_cast<double>(cpus);
  if (before.cpus && after.cpus && machine > 0) {
    // Each CPU's counters are whole ticks: one of each is the counting's, not another's.
    const double error = cpu_tick() * static_cast<double>(cpus);
    const double others = after.cpus->busy - before.cpus->busy - own - error;
    const double steal = after.cpus->steal - before.cpus->steal - error;
    quiet.others_share = std::max(0.0, others) / machine;
    quiet.steal_share = std::max(0.0, steal) / machine;
  }
  judge_threads(quiet, cpus);
  judge_clock(quiet, before, after);
  return quiet;
}

void judge_gpu(Quiet& quiet, const GpuReading& before, const GpuReading& after, uint64_t seen) {
  GpuQuiet& gpu = quiet.gpu.emplace(GpuQuiet{.before = before, .after = after});
  gpu.throttle = seen | before.throttle.value_or(0) | after.throttle.value_or(0);
  if (quiet.wall_seconds < kLeastEnergySeconds) {
    gpu.joules_reason = fmt::format("measured for {:.1f} s, and energy needs {:.0f} s or more",
                                    quiet.wall_seconds, kLeastEnergySeconds);
  } else if (!(gpu.joules = difference(before.joules, after.joules))) {
    gpu.joules_reason = "NVML does not tell the energy of this GPU; see reasons";
  }
  if (const uint64_t harmful = gpu.throttle & kHarmfulThrottle) {
    quiet.warnings.push_back(fmt::format(
        "the GPU was held back ({}): let it cool down, or give it more power (nvidia-smi -q -d "
        "PERFORMANCE says more)",
        fmt::join(throttle_words(harmful), ", ")));
  }
  if (moved(before.sm_mhz, after.sm_mhz)) {
    quiet.warnings.push_back(fmt::format(
        "the GPU's SM clock was {} MHz at the start and {} MHz at the end: warm up for longer, or "
        "lock it with nvidia-smi --lock-gpu-clocks",
        *before.sm_mhz, *after.sm_mhz));
  }
}

ordered_json Quiet::json() const {
  ordered_json told{{"wall_seconds", wall_seconds},
                    {"threads", threads},
                    {"cpu_share", json_or_null(cpu_share)},
                    {"waiting_seconds", json_or_null(waiting_seconds)},
                    {"involuntary_switches", involuntary_switches},
                    {"load", json_or_null(load)},
                    {"steal_share", json_or_null(steal_share)},
                    {"others_share", json_or_null(others_share)},
                    {"throttled_seconds", json_or_null(throttled_seconds)},
                    {"governor", json_or_null(governor)},
                    {"mhz", json_or_null(mhz)}};
  if (gpu || !gpu_reason.empty()) told["gpu"] = gpu ? gpu_json(*gpu) : ordered_json();
  if (!gpu_reason.empty()) told["gpu_reason"] = gpu_reason;
  told["warnings"] = warnings;
  return told;
}

QuietWatch::QuietWatch(QuietSources sources)
    : sources_(std::move(sources)), nvml_(Unavailable{}), gpu_(Unavailable{}) {
  if (!sources_.gpu_uuid.empty()) {
    nvml_ = Nvml::open(sources_.nvml);
    const auto* opened = std::get_if<Nvml>(&nvml_);
    gpu_ = opened ? opened->find(sources_.gpu_uuid) : std::get<Unavailable>(nvml_);
  }
  if (const auto* gpu = std::get_if<Nvml::Gpu>(&gpu_)) {
    gpu_before_ = std::get<Nvml>(nvml_).read(*gpu);
  }
  before_ = polled_ = read_usage(sources_.root, sources_.cpus);
}

bool QuietWatch::disturbed() {
  const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
  const Usage last = std::exchange(polled_, {.wall_seconds = now.count(),
                                             .waiting = read_waiting(sources_.root),
                                             .throttled = read_throttled(sources_.root)});
  const double waiting = difference(last.waiting, polled_.waiting).value_or(0);
  const double wall = polled_.wall_seconds - last.wall_seconds;
  const bool held_back = (poll_throttle() & kHarmfulThrottle) != 0;
  return held_back || difference(last.throttled, polled_.throttled).value_or(0) > 0 ||
         waiting > std::max(kGrossWaitingSeconds, kGrossWaiting * wall);
}

uint64_t QuietWatch::poll_throttle() {
  const auto* gpu = std::get_if<Nvml::Gpu>(&gpu_);
  const uint64_t now = gpu ? std::get<Nvml>(nvml_).read_throttle(*gpu).value_or(0) : 0;
  throttle_ |= now;
  return now;
}

Quiet QuietWatch::finish(int threads) {
  const Usage after = read_usage(sources_.root, sources_.cpus);
  Quiet quiet = judge(before_, after, threads, sources_.cpus.size());
  if (const auto* gpu = std::get_if<Nvml::Gpu>(&gpu_)) {
    judge_gpu(quiet, gpu_before_, std::get<Nvml>(nvml_).read(*gpu), throttle_);
  } else if (!sources_.gpu_uuid.empty()) {
    quiet.gpu_reason = std::get<Unavailable>(gpu_).reason;
  }
  return quiet;
}

}  // namespace digitron
