#include "host/bench/bench.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "host/core/error.h"
#include "host/files/environment.h"
#include "host/files/json.h"
#include "host/machine/build.h"
#include "host/machine/machine.h"
#include "host/text/table.h"

namespace digitron {

namespace {

using Clock = std::chrono::steady_clock;

void require(const char* option, int value, int least) {
  if (value >= least) return;
  throw InputError(fmt::format("{} is {}; give {} or more", option, value, least));
}

double images_per_second(const BenchResult& result, const Engine& engine) {
  return engine.plan().batch / result.percentile(50);
}

}  // namespace

void check_settings(const BenchSettings& settings) {
  require("--steps", settings.steps, 1);
  require("--samples", settings.samples, 1);
  require("--warmup", settings.warmup, 0);
}

double BenchResult::percentile(double p) const {
  std::vector<double> sorted = step_seconds;
  std::sort(sorted.begin(), sorted.end());
  const double place = p / 100 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - std::floor(place));
}

BenchResult bench(Engine& engine, int train_count, const BenchSettings& settings) {
  const int whole =
      train_count / engine.plan().batch;  // an epoch's steps without a ragged last one
  const int steps = std::min(settings.steps, whole);
  const std::vector<StepRates> rates(static_cast<size_t>(steps), {.lr = 0.01f});
  BenchResult result{false, steps, {}};
  int epoch = 1;
  int first = 0;
  for (int i = -settings.warmup; i < settings.samples; ++i) {
    if (first + steps > whole) {
      first = 0;
      ++epoch;
    }
    const Clock::time_point start = Clock::now();
    engine.train(epoch, first, rates);
    const std::chrono::duration<double> host = Clock::now() - start;
    const Timing timing = engine.timing();
    result.device_clock = timing.device_clock;
    const double sum = std::accumulate(timing.seconds.begin(), timing.seconds.end(), 0.0);
    if (i >= 0)
      result.step_seconds.push_back((timing.seconds.empty() ? host.count() : sum) / steps);
    first += steps;
  }
  return result;
}

nlohmann::ordered_json bench_json(const BenchResult& result, const Engine& engine) {
  nlohmann::ordered_json json;
  json["digitron"] = version();
  json["model"] = engine.plan().model.id;
  json["batch"] = engine.plan().batch;
  json["device"] = engine.description();
  json["precision"] = engine.describe().precision;
  json["cpu"] = cpu_name();
  const nlohmann::ordered_json details = details_json(engine.describe().details);
  if (!details.empty()) json["details"] = details;
  json["clock"] = result.device_clock ? "device" : "host";
  json["steps_per_sample"] = result.steps;
  json["median_step_seconds"] = result.percentile(50);
  json["p10_step_seconds"] = result.percentile(10);
  json["p90_step_seconds"] = result.percentile(90);
  json["images_per_second"] = images_per_second(result, engine);
  json["step_seconds"] = result.step_seconds;
  return json;
}

std::string bench_line(const BenchResult& result, const Engine& engine) {
  return fmt::format(
      "{} | batch {} | {}, {} | {:.1f} us a step (p10 {:.1f}, p90 {:.1f}), {} images/s",
      engine.plan().model.name, engine.plan().batch, engine.description(),
      engine.describe().precision, 1e6 * result.percentile(50), 1e6 * result.percentile(10),
      1e6 * result.percentile(90), grouped(std::llround(images_per_second(result, engine))));
}

}  // namespace digitron
