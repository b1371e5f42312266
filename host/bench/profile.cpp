#include "host/bench/profile.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "host/core/error.h"
#include "host/text/table.h"

namespace digitron {

Profile measure_phases(Engine& engine, int train_count, int steps) {
  if (steps < 1) throw InputError(fmt::format("--steps is {}; give 1 or more", steps));
  const int whole = train_count / engine.plan().batch;
  const std::vector<StepRates> rates(static_cast<size_t>(std::min(steps, whole)), {.lr = 0.01f});
  Profile profile = engine.profile(1, 0, rates, false);
  if (profile.phases.empty()) {
    throw InputError(engine.description() +
                     " times no phases of a step; take --device cuda --step fused, or look at "
                     "--no-graph under Nsight Systems, where layers have names");
  }
  return profile;
}

std::string profile_table(const Profile& profile) {
  double sum = 0, slowest = 0;
  for (const Phase& phase : profile.phases) {
    sum += phase.time;
    slowest += phase.slowest;
  }
  const auto count = [](double value) { return grouped(std::llround(value)); };
  std::vector<Row> rows{{"phase", "direction", profile.unit, "slowest", "share"}};
  for (const Phase& phase : profile.phases) {
    rows.push_back({phase.name, phase.direction, count(phase.time), count(phase.slowest),
                    fmt::format("{:.1f} %", sum > 0 ? 100 * phase.time / sum : 0)});
  }
  rows.push_back({"sum", "", count(sum), count(slowest), ""});
  return format_table(rows, "llrrr");
}

}  // namespace digitron
