#include "host/train/settings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "host/core/error.h"

namespace digitron {

namespace {

// Names by the enumeration's value.
using Words = std::array<const char*, 4>;
constexpr Words kOptimizers{"sgd", "nesterov", "adam", "adamw"};
constexpr Words kSchedules{"constant", "step", "cosine", "one-cycle"};

template <class Enum>
void parse(const char* option, const std::string& word, const Words& names, Enum& value) {
  const auto* const name = std::find(names.begin(), names.end(), word);
  if (name == names.end()) {
    throw InputError(fmt::format("{} is '{}'; give {}, {}, {} or {}", option, word, names[0],
                                 names[1], names[2], names[3]));
  }
  value = static_cast<Enum>(name - names.begin());
}

void require(bool condition, const std::string& message) {
  if (!condition) throw InputError(message);
}

template <class T>
std::string text_of(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return to_text(value);
  } else {
    return fmt::format("{}", value);
  }
}
template <class T>
std::string text_of(const std::optional<T>& value) {
  return value ? text_of(*value) : "";
}

// NaN is within none; what is not set, or not a number, is within all.
template <class T>
bool is_within(const Limits& limits, const T& value) {
  if constexpr (std::is_arithmetic_v<T>) {
    const auto number = static_cast<double>(value);
    return number >= limits.least && number <= limits.most;
  }
  return true;
}
template <class T>
bool is_within(const Limits& limits, const std::optional<T>& value) {
  return !value || is_within(limits, *value);
}

void check_limits(const Setting& setting, const TrainSettings& s) {
  const Limits& limits = setting.limits;
  if (limits.give == nullptr) return;
  setting.with_value(s, [&](const auto& value) {
    if (is_within(limits, value)) return;
    const std::string give = fmt::format(fmt::runtime(limits.give), limits.least, limits.most);
    const std::string example = limits.example ? fmt::format(", such as {}", limits.example) : "";
    throw InputError(
        fmt::format("{} is {}; give {}{}", setting.option(), setting.text(s), give, example));
  });
}

}  // namespace

std::string to_text(OptimizerKind kind) {
  return kOptimizers[static_cast<size_t>(kind)];
}

std::string to_text(Schedule schedule) {
  return kSchedules[static_cast<size_t>(schedule)];
}

void parse(const std::string& word, OptimizerKind& kind) {
  parse("--optimizer", word, kOptimizers, kind);
}

void parse(const std::string& word, Schedule& schedule) {
  parse("--schedule", word, kSchedules, schedule);
}

std::string Setting::text(const TrainSettings& settings) const {
  return with_value(settings, [](const auto& value) { return text_of(value); });
}

std::string Setting::option() const {
  const auto* const flag = std::get_if<bool TrainSettings::*>(&member);
  std::string option =
      (flag != nullptr && TrainSettings{}.**flag ? "--no-" : "--") + std::string(name);
  std::replace(option.begin(), option.end(), '_', '-');
  return option;
}

bool Setting::is_default(const TrainSettings& settings) const {
  return std::visit([&](auto value) { return settings.*value == TrainSettings{}.*value; }, member);
}

void check_settings(const TrainSettings& s) {
  for (const Setting& setting : all_settings()) check_limits(setting, s);
  require(s.optimizer != OptimizerKind::kNesterov || s.momentum > 0,
          "--optimizer nesterov needs a --momentum above 0, such as 0.9");
  require(!s.warmup || (*s.warmup >= 0 && *s.warmup < s.epochs),
          fmt::format("--warmup is {}; give a number of epochs from 0 to below --epochs, {}",
                      text_of(s.warmup), s.epochs));
  require(!s.patience || s.validation > 0,
          "--patience needs a validation set to go by, which the test set must not be; give "
          "--validation too, such as --validation 5000");
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
  constexpr Words kNames{"SGD", "Nesterov", "Adam", "AdamW"};
  std::string text = std::string(kNames[static_cast<size_t>(s.optimizer)]) + ":";
  for (const Setting& setting : all_settings()) {
    if (setting.log == nullptr) continue;
    const bool logged = setting.is_logged ? setting.is_logged(s) : !setting.is_default(s);
    if (logged) text += fmt::format(fmt::runtime(setting.log), setting.text(s));
  }
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
