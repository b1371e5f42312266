#include "host/run/train_settings.h"

#include <spdlog/fmt/fmt.h>

#include <limits>
#include <string>

#include "host/error.h"

namespace digitron {

namespace {

void require(bool condition, const std::string& message) {
  if (!condition) throw InputError(message);
}

// The engines compute in float: a double beyond it would be infinite there. NaN is not in the
// range.
bool is_float_from_zero(double value) {
  return value >= 0 && value <= std::numeric_limits<float>::max();
}

}  // namespace

void check_settings(const TrainSettings& s) {
  require(s.epochs >= 1, fmt::format("--epochs is {}; give 1 or more", s.epochs));
  require(s.batch >= 1, fmt::format("--batch is {}; give 1 or more images", s.batch));
  require(is_float_from_zero(s.lr),
          fmt::format("--lr is {}; give a number of 0 or more, such as 0.01", s.lr));
  require(
      s.momentum >= 0 && s.momentum < 1 && static_cast<float>(s.momentum) < 1,
      fmt::format("--momentum is {}; give a number from 0 to below 1, such as 0.9", s.momentum));
  require(is_float_from_zero(s.weight_decay),
          fmt::format("--weight-decay is {}; give a number of 0 or more, such as 0.0005",
                      s.weight_decay));
  require(
      !s.max_steps || *s.max_steps >= 1,
      fmt::format("--max-steps is {}; give 1 or more, or leave it out", s.max_steps.value_or(1)));
}

void check_batch(int batch, int train_count) {
  require(batch <= train_count,
          fmt::format("--batch is {}, but the training set has {} images; give at most that many",
                      batch, train_count));
}

}  // namespace digitron
