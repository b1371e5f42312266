#include "host/train/train_settings.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <span>
#include <string>

#include "host/core/error.h"

namespace digitron {

namespace {

// Names by the enumeration's value.
constexpr std::array<const char*, 4> kOptimizers{"sgd", "nesterov", "adam", "adamw"};
constexpr std::array<const char*, 4> kSchedules{"constant", "step", "cosine", "one-cycle"};

template <class Enum>
Enum parse(const char* option, const std::string& word, std::span<const char* const> names) {
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    if (word == names[i]) return static_cast<Enum>(i);
    if (i > 0) list += i + 1 == names.size() ? " or " : ", ";
    list += names[i];
  }
  throw InputError(fmt::format("{} is '{}'; give {}", option, word, list));
}

void require(bool condition, const std::string& message) {
  if (!condition) throw InputError(message);
}

// The engines compute in float: a double beyond it would be infinite there. NaN is not in the
// range.
bool is_float_from_zero(double value) {
  return value >= 0 && value <= std::numeric_limits<float>::max();
}

bool is_below_one(double value) {
  return value >= 0 && value < 1 && static_cast<float>(value) < 1;
}

void require_below_one(const char* option, double value, const char* example) {
  require(is_below_one(value), fmt::format("{} is {}; give a number from 0 to below 1, such as {}",
                                           option, value, example));
}

void check_optimizer(const TrainSettings& s) {
  require(is_float_from_zero(s.lr),
          fmt::format("--lr is {}; give a number of 0 or more, such as 0.01", s.lr));
  require_below_one("--momentum", s.momentum, "0.9");
  require(s.optimizer != OptimizerKind::kNesterov || s.momentum > 0,
          "--optimizer nesterov needs a --momentum above 0, such as 0.9");
  require(is_float_from_zero(s.weight_decay),
          fmt::format("--weight-decay is {}; give a number of 0 or more, such as 0.0005",
                      s.weight_decay));
  require_below_one("--beta1", s.beta1, "0.9");
  require_below_one("--beta2", s.beta2, "0.999");
  require(is_float_from_zero(s.eps) && static_cast<float>(s.eps) > 0,
          fmt::format("--eps is {}; give a number above 0, such as 1e-8", s.eps));
  require_below_one("--ema", s.ema, "0.999");
}

void check_schedule(const TrainSettings& s) {
  require(!s.warmup || (*s.warmup >= 0 && *s.warmup < s.epochs),
          fmt::format("--warmup is {}; give a number of epochs from 0 to below --epochs, {}",
                      s.warmup.value_or(0), s.epochs));
  require(s.step_epochs >= 1,
          fmt::format("--step-epochs is {}; give 1 or more epochs", s.step_epochs));
  require(s.gamma > 0 && s.gamma <= 1,
          fmt::format("--gamma is {}; give a number above 0, up to 1", s.gamma));
}

void require_within(const char* option, double value, double most, const char* unit) {
  require(value >= 0 && value <= most,
          fmt::format("{} is {}; give a number {}from 0 to {}", option, value, unit, most));
}

void check_augmentation(const TrainSettings& s) {
  require_within("--shift", s.shift, kImageSide, "of pixels ");
  require_within("--rotate", s.rotate, 45, "of degrees ");
  require_within("--scale", s.scale, 0.9, "");
  require_within("--shear", s.shear, 45, "of degrees ");
}

}  // namespace

std::string to_text(OptimizerKind kind) {
  return kOptimizers[static_cast<size_t>(kind)];
}

std::string to_text(Schedule schedule) {
  return kSchedules[static_cast<size_t>(schedule)];
}

OptimizerKind parse_optimizer(const std::string& word) {
  return parse<OptimizerKind>("--optimizer", word, kOptimizers);
}

Schedule parse_schedule(const std::string& word) {
  return parse<Schedule>("--schedule", word, kSchedules);
}

TrainSettings default_settings(const Model& model) {
  TrainSettings settings;
  if (model.id != "lenet5-best") return settings;
  settings.optimizer = OptimizerKind::kNesterov;
  settings.lr = 0.05;
  settings.schedule = Schedule::kOneCycle;
  settings.weight_decay = 5e-4;
  settings.label_smoothing = 0.05;
  settings.shift = 2;
  settings.rotate = 10;
  settings.scale = 0.1;
  settings.shear = 5;
  return settings;
}

void check_settings(const TrainSettings& s) {
  require(s.epochs >= 1, fmt::format("--epochs is {}; give 1 or more", s.epochs));
  require(s.batch >= 1, fmt::format("--batch is {}; give 1 or more images", s.batch));
  check_optimizer(s);
  check_schedule(s);
  require_below_one("--label-smoothing", s.label_smoothing, "0.1");
  check_augmentation(s);
  require(s.validation >= 0,
          fmt::format("--validation is {}; give a number of images, 0 for none", s.validation));
  require(!s.patience || *s.patience >= 1,
          fmt::format("--patience is {}; give 1 or more epochs", s.patience.value_or(1)));
  require(!s.patience || s.validation > 0,
          "--patience needs a validation set to go by, which the test set must not be; give "
          "--validation too, such as --validation 5000");
  require(
      !s.max_steps || *s.max_steps >= 1,
      fmt::format("--max-steps is {}; give 1 or more, or leave it out", s.max_steps.value_or(1)));
}

void check_counts(const TrainSettings& s, int train_count) {
  require(s.validation < train_count,
          fmt::format("--validation is {}, but the training set has {} images; give fewer",
                      s.validation, train_count));
  const int left = train_count - s.validation;
  require(s.batch <= left,
          fmt::format("--batch is {}, but the training set has {} images{}; give at most that many",
                      s.batch, left, s.validation > 0 ? " without the validation set's" : ""));
}

std::string settings_text(const TrainSettings& s) {
  constexpr std::array<const char*, 4> kNames{"SGD", "Nesterov", "Adam", "AdamW"};
  const std::string inertia = has_second_moment(s.optimizer)
                                  ? fmt::format("betas {} and {}", s.beta1, s.beta2)
                                  : fmt::format("momentum {}", s.momentum);
  std::string text = fmt::format("{}: epochs {}, batch {}, lr {}, {}, weight decay {}, seed {}",
                                 kNames[static_cast<size_t>(s.optimizer)], s.epochs, s.batch, s.lr,
                                 inertia, s.weight_decay, s.seed);
  if (!s.shuffle) text += ", not shuffled";
  if (s.schedule != Schedule::kConstant) text += ", schedule " + to_text(s.schedule);
  if (s.warmup) text += fmt::format(", warm-up {} epochs", *s.warmup);
  if (s.label_smoothing > 0) text += fmt::format(", label smoothing {}", s.label_smoothing);
  if (training_of(s).augmentation.any()) {
    text += fmt::format(", augmented: shift {}, rotate {}, scale {}, shear {}", s.shift, s.rotate,
                        s.scale, s.shear);
  }
  if (s.validation > 0) text += fmt::format(", validation {} images", s.validation);
  if (s.patience) text += fmt::format(", patience {} epochs", *s.patience);
  if (s.ema > 0) text += fmt::format(", moving average {}", s.ema);
  return text;
}

namespace {

Augmentation augmentation_of(const TrainSettings& s) {
  const auto fixed = [](double value) {
    return static_cast<int32_t>(std::lround(value * kFixedOne));
  };
  const auto angle = [&](double degrees) {
    return std::min(kMostAngle, fixed(degrees * std::numbers::pi / 180));
  };
  return {fixed(s.shift), angle(s.rotate), std::min(kMostScale, fixed(s.scale)), angle(s.shear)};
}

Optimizer optimizer_of(const TrainSettings& s) {
  return {static_cast<float>(s.momentum),
          static_cast<float>(s.weight_decay),
          s.optimizer,
          s.beta1,
          s.beta2,
          s.eps,
          s.ema};
}

}  // namespace

Training training_of(const TrainSettings& s) {
  return {optimizer_of(s), s.seed, s.shuffle, augmentation_of(s),
          static_cast<float>(s.label_smoothing)};
}

}  // namespace digitron
