#include "host/bench/sampler.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>
#include <numeric>

#include "host/core/error.h"
#include "host/text/statistics.h"

namespace digitron {

namespace {

constexpr double kStretchSeconds = 0.1;
constexpr double kSliceSeconds = 0.02;
constexpr size_t kLeastSamples = 10;
constexpr size_t kParts = 20;

void require_within(const char* option, double value, const char* unit, double most) {
  if (value >= 0 && value <= most) return;
  throw InputError(fmt::format("{} is {}; give 0 to {} {}", option, value, most, unit));
}

double process_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct Stretch {
  Samples samples;
  int64_t steps = 0;
  double step_seconds = 0;  // their sum
  double cpu_seconds = 0;
};

// Calls for so many seconds, once at least.
Stretch measure_stretch(const std::function<Call()>& call, double seconds, const Now& now) {
  Stretch stretch;
  const double cpu_start = process_seconds();
  const double start = now();
  do {
    const Call one = call();
    Samples& samples = stretch.samples;
    samples.device_clock = one.device_clock;
    samples.seconds.insert(samples.seconds.end(), one.seconds.begin(), one.seconds.end());
    samples.host_seconds.push_back(one.host_seconds / one.steps);
    const double sum = std::accumulate(one.seconds.begin(), one.seconds.end(), 0.0);
    stretch.step_seconds += sum / static_cast<double>(one.seconds.size()) * one.steps;
    stretch.steps += one.steps;
  } while (now() - start < seconds);
  stretch.cpu_seconds = process_seconds() - cpu_start;
  return stretch;
}

void append(Stretch& all, const Stretch& more) {
  Samples& to = all.samples;
  const Samples& from = more.samples;
  to.device_clock = from.device_clock;
  to.seconds.insert(to.seconds.end(), from.seconds.begin(), from.seconds.end());
  to.host_seconds.insert(to.host_seconds.end(), from.host_seconds.begin(), from.host_seconds.end());
  all.steps += more.steps;
  all.step_seconds += more.step_seconds;
  all.cpu_seconds += more.cpu_seconds;
}

// What is still to be reached; empty: nothing.
std::string missing(const Stretch& all, const SamplerSettings& settings) {
  const std::vector<double>& samples = all.samples.seconds;
  if (samples.size() < kLeastSamples) {
    return fmt::format("{} samples: {}", kLeastSamples, samples.size());
  }
  if (all.step_seconds < settings.min_time) {
    return fmt::format("--min-time {} s: {:.2f} s", settings.min_time, all.step_seconds);
  }
  const double percent = 100 * noise(samples);
  if (percent <= settings.max_noise) return "";
  return fmt::format("--max-noise {} %: {:.2f} %", settings.max_noise, percent);
}

}  // namespace

void check_settings(const SamplerSettings& settings) {
  require_within("--warmup", settings.warmup, "seconds", kMostSeconds);
  require_within("--min-time", settings.min_time, "seconds", kMostSeconds);
  require_within("--max-noise", settings.max_noise, "percent", 100);
  require_within("--timeout", settings.timeout, "seconds", kMostSeconds);
  if (settings.timeout < settings.min_time) {
    throw InputError(fmt::format("--timeout is {}, less than --min-time, {}; give more, or less",
                                 settings.timeout, settings.min_time));
  }
}

double steady_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

Samples take_samples(const std::function<Call()>& call, const SamplerSettings& settings,
                     const std::function<bool()>& disturbed, const Now& now) {
  int64_t warmup = 0;
  if (settings.warmup > 0) {
    warmup =
        static_cast<int64_t>(measure_stretch(call, settings.warmup, now).samples.seconds.size());
    if (disturbed) disturbed();  // what it says from here on is of the samples
  }
  Stretch kept, rejected;
  int64_t discarded = 0;
  std::string missed;
  const double end = now() + settings.timeout;
  do {
    const Stretch next = measure_stretch(call, std::min(kStretchSeconds, settings.timeout), now);
    const bool bad = disturbed && disturbed();
    append(bad ? rejected : kept, next);
    if (bad) discarded += static_cast<int64_t>(next.samples.seconds.size());
    missed = missing(kept, settings);
  } while (!missed.empty() && now() < end);
  if (kept.steps == 0) {
    missed = "an undisturbed stretch: none";
    kept = std::move(rejected);
    discarded = 0;
  }
  Samples samples = std::move(kept.samples);
  samples.cpu_seconds = kept.cpu_seconds / static_cast<double>(kept.steps);
  samples.warmup = warmup;
  samples.discarded = discarded;
  samples.stopped = missed.empty() ? "noise" : "timeout";
  samples.missed = missed;
  return samples;
}

Samples take_slices(const std::function<Call()>& call, const SamplerSettings& settings,
                    const Turns& turns, const Now& now) {
  const auto take = [&](double seconds) {
    turns.wait();
    Stretch slice = measure_stretch(call, seconds, now);
    turns.pass();
    return slice;
  };
  const size_t warmup = take(settings.warmup).samples.seconds.size();
  const double wanted = std::ceil(settings.min_time / kSliceSeconds);
  const int count = static_cast<int>(std::clamp<double>(wanted, 1, kMostSlices));
  Stretch all;
  std::vector<double> medians;
  for (int i = 0; i < count; ++i) {
    const Stretch slice = take(settings.min_time / count);
    medians.push_back(median_of(slice.samples.seconds));
    append(all, slice);
  }
  Samples samples = std::move(all.samples);
  samples.cpu_seconds = all.cpu_seconds / static_cast<double>(all.steps);
  samples.warmup = static_cast<int64_t>(warmup);
  samples.slices = std::move(medians);
  samples.stopped = "turns";
  return samples;
}

double percentile(std::span<const double> sorted, double p) {
  const double place = p / 100 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - std::floor(place));
}

double noise(std::span<const double> samples) {
  if (samples.size() < kLeastSamples) return std::numeric_limits<double>::infinity();
  const size_t parts = std::min(kParts, samples.size());
  std::vector<double> medians;
  for (size_t i = 0; i < parts; ++i) {
    const size_t begin = i * samples.size() / parts;
    const size_t end = (i + 1) * samples.size() / parts;
    medians.push_back(median_of({samples.begin() + static_cast<std::ptrdiff_t>(begin),
                                 samples.begin() + static_cast<std::ptrdiff_t>(end)}));
  }
  const double error = statistics(medians)->deviation / std::sqrt(static_cast<double>(parts));
  return error / median_of({samples.begin(), samples.end()});
}

}  // namespace digitron
