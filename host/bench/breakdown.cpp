#include "host/bench/breakdown.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "host/core/error.h"
#include "host/files/json.h"
#include "host/text/table.h"

namespace digitron {

namespace {

// Of one step, by the device's clock or else the host's.
double train_unprofiled(Engine& engine, std::span<const StepRates> rates) {
  const auto start = std::chrono::steady_clock::now();
  engine.train(1, 0, rates);
  const std::chrono::duration<double> host = std::chrono::steady_clock::now() - start;
  const Timing timing = engine.timing();
  if (timing.seconds.size() == rates.size()) return steady_mean(timing.seconds);
  const double all = timing.seconds.empty()
                         ? host.count()
                         : std::accumulate(timing.seconds.begin(), timing.seconds.end(), 0.0);
  return all / static_cast<double>(rates.size());
}

std::string phase_microseconds(double seconds) {
  return fmt::format("{:.2f}", 1e6 * seconds);
}

std::string share_text(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

}  // namespace

double Breakdown::sum() const {
  return std::accumulate(profile.phases.begin(), profile.phases.end(), 0.0,
                         [](double sum, const Phase& phase) { return sum + phase.time; });
}

double Breakdown::share(const Phase& phase) const {
  const double whole = in_seconds() ? profile.step_seconds : sum();
  return whole > 0 ? phase.time / whole : 0;
}

Breakdown measure_breakdown(Engine& engine, int train_count, int steps) {
  if (steps < 1) throw InputError(fmt::format("--steps is {}; give 1 or more", steps));
  const int whole = train_count / engine.plan().batch;
  const std::vector<StepRates> rates(static_cast<size_t>(std::min(steps, whole)), {.lr = 0.01f});
  const std::span<const StepRates> all(rates);
  if (engine.profile(1, 0, all.first(1), false).phases.empty()) {
    throw InputError(engine.description() +
                     " times no phases of a step; take another --device, such as cpu");
  }
  train_unprofiled(engine, all);  // warms up, and a GPU records its graphs
  const double plain = train_unprofiled(engine, all);
  return {engine.profile(1, 0, all, false), plain};
}

std::string breakdown_table(const Breakdown& breakdown) {
  const Profile& profile = breakdown.profile;
  const auto time = [&](double value) {
    return breakdown.in_seconds() ? phase_microseconds(value) : grouped(std::llround(value));
  };
  std::vector<Row> rows{
      {"layer", "direction", breakdown.in_seconds() ? "us" : profile.unit, "share", "slowest"}};
  for (const Phase& phase : profile.phases) {
    rows.push_back({phase.name, phase.direction, time(phase.time),
                    share_text(breakdown.share(phase)), time(phase.slowest)});
  }
  const double sum = breakdown.sum(), step = profile.step_seconds;
  rows.push_back({"sum", "", time(sum), "", ""});
  if (breakdown.in_seconds()) {
    rows.push_back({"whole step", "", time(step), "", ""});
    rows.push_back({"sum / step", "", fmt::format("{:.3f}", step > 0 ? sum / step : 0), "", ""});
  }
  const double plain = breakdown.plain_step_seconds;
  return format_table(rows, "llrrr") +
         fmt::format("A profiled step takes {} us, an unprofiled one {} us ({:+.1f} %)\n",
                     phase_microseconds(step), phase_microseconds(plain),
                     plain > 0 ? 100 * (step / plain - 1) : 0);
}

nlohmann::ordered_json breakdown_json(const Breakdown& breakdown) {
  const Profile& profile = breakdown.profile;
  nlohmann::ordered_json json{{"unit", profile.unit},
                              {"step_seconds", profile.step_seconds},
                              {"unprofiled_step_seconds", breakdown.plain_step_seconds},
                              {"sum", breakdown.sum()}};
  json["phases"] = nlohmann::ordered_json::array();
  for (const Phase& phase : profile.phases) {
    json["phases"].push_back({{"layer", phase.name},
                              {"direction", phase.direction},
                              {"time", phase.time},
                              {"slowest", phase.slowest},
                              {"share", breakdown.share(phase)}});
  }
  return json;
}

Breakdown breakdown_from_json(const nlohmann::ordered_json& json) {
  Breakdown breakdown;
  breakdown.profile.unit = json.at("unit");
  breakdown.profile.step_seconds = json.at("step_seconds");
  breakdown.plain_step_seconds = json.at("unprofiled_step_seconds");
  for (const nlohmann::ordered_json& phase : json.at("phases")) {
    breakdown.profile.phases.push_back(
        {phase.at("layer"), phase.at("direction"), phase.at("time"), phase.at("slowest")});
  }
  return breakdown;
}

}  // namespace digitron
