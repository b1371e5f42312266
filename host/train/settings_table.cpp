// Every setting of a run, once: a new one takes a member of TrainSettings, a row here, and what
// training makes of it. And what models are trained with unless told otherwise.
#include <limits>
#include <string_view>

#include "host/train/settings.h"

namespace digitron {

namespace {

using S = TrainSettings;

constexpr const char* kRun = "Run";
constexpr const char* kOptimizer = "Optimizer";
constexpr const char* kSchedule = "Learning-rate schedule";
constexpr const char* kRegularisation = "Regularisation";

// The engines compute in float, so a setting must be within its limits as a float too: these are
// the last doubles that are.
constexpr double kMostFloat = std::numeric_limits<float>::max();
constexpr double kBelowOne = 0x1.fffffefffffffp-1;
constexpr double kAboveZero = 0x1.0000000000001p-150;

constexpr Limits within(double least, double most, const char* give,
                        const char* example = nullptr) {
  return {least, most, give, example};
}
constexpr Limits at_least(double least, const char* give) {
  return within(least, std::numeric_limits<double>::infinity(), give);
}
constexpr Limits from_zero(const char* example) {
  return within(0, kMostFloat, "a number of {0} or more", example);
}
constexpr Limits below_one(const char* example) {
  return within(0, kBelowOne, "a number from {0} to below 1", example);
}

// When a setting stands in the log.
bool always(const S&) {
  return true;
}
bool has_betas(const S& s) {
  return has_second_moment(s.optimizer);
}
bool has_momentum(const S& s) {
  return !has_betas(s);
}
bool augments(const S& s) {
  return training_of(s).augmentation.any();
}

// Name, member, group, help, part of the log, limits, when it is logged, type in the help.
constexpr Setting kSettings[] = {
    {"epochs", &S::epochs, kRun, "Passes over the training set", " epochs {}",
     at_least(1, "{0} or more"), always},
    {"batch", &S::batch, kRun, "Images a step", ", batch {}", at_least(1, "{0} or more images"),
     always},

    {"optimizer", &S::optimizer, kOptimizer, "sgd, nesterov, adam or adamw"},
    {"lr", &S::lr, kOptimizer, "Learning rate, the largest of a schedule", ", lr {}",
     from_zero("0.01"), always},
    {"momentum", &S::momentum, kOptimizer, "Of sgd and nesterov, from 0 to below 1",
     ", momentum {}", below_one("0.9"), has_momentum},
    {"beta1", &S::beta1, kOptimizer, "Of adam and adamw, from 0 to below 1", ", betas {}",
     below_one("0.9"), has_betas},
    {"beta2", &S::beta2, kOptimizer, "Of adam and adamw, from 0 to below 1", " and {}",
     below_one("0.999"), has_betas},
    {"eps", &S::eps, kOptimizer, "Of adam and adamw, above 0", nullptr,
     within(kAboveZero, kMostFloat, "a number above 0", "1e-8")},
    {"weight_decay", &S::weight_decay, kOptimizer, "L2 weight decay as in torch.optim",
     ", weight decay {}", from_zero("0.0005"), always},

    {"seed", &S::seed, kRun, "Seed of the initial weights and of all that training draws",
     ", seed {}", Limits{}, always},
    {"shuffle", &S::shuffle, kRun, "Take the images in the order of the file, every epoch",
     ", not shuffled"},

    {"schedule", &S::schedule, kSchedule, "constant, step, cosine or one-cycle", ", schedule {}"},
    {"warmup", &S::warmup, kSchedule,
     "Epochs of rising rate, fractions too. Default: 0; of one-cycle 0.3 of the run",
     ", warm-up {} epochs"},
    {"step_epochs", &S::step_epochs, kSchedule, "Of step: epochs between two steps", nullptr,
     at_least(1, "{0} or more epochs")},
    {"gamma", &S::gamma, kSchedule, "Of step: what the rate is multiplied by", nullptr,
     within(std::numeric_limits<double>::denorm_min(), 1, "a number above 0, up to {1}")},

    {"label_smoothing", &S::label_smoothing, kRegularisation,
     "Part of each target that all classes share, from 0 to below 1", ", label smoothing {}",
     below_one("0.1")},
    {"shift", &S::shift, kRegularisation, "Most pixels an image is shifted by, along each axis",
     ", augmented: shift {}", within(0, kMostShift, "a number of pixels from {0} to {1}"),
     augments},
    {"rotate", &S::rotate, kRegularisation, "Most degrees, up to 45", ", rotate {}",
     within(0, 45, "a number of degrees from {0} to {1}"), augments},
    {"scale", &S::scale, kRegularisation, "Most that a factor differs from 1, up to 0.9",
     ", scale {}", within(0, 0.9, "a number from {0} to {1}"), augments},
    {"shear", &S::shear, kRegularisation, "Most degrees, up to 45", ", shear {}",
     within(0, 45, "a number of degrees from {0} to {1}"), augments},

    {"validation", &S::validation, kRun,
     "Set the last N training images aside; the epochs' figures are then of them, and\n"
     "the test set is read once, at the end",
     ", validation {} images", at_least(0, "a number of images, {0} for none"), nullptr, "N"},
    {"patience", &S::patience, kRun,
     "With --validation: stop when its loss has not fallen for this many epochs, and\n"
     "keep the best epoch's parameters. Default: never",
     ", patience {} epochs", at_least(1, "{0} or more epochs"), nullptr, "EPOCHS"},
    {"max_steps", &S::max_steps, kRun,
     "Stop after this many steps in all, then evaluate and save. Default: no limit", nullptr,
     at_least(1, "{0} or more, or leave it out")},
    {"log_steps", &S::log_steps, kRun, "Write every step's loss to metrics.jsonl"},

    {"ema", &S::ema, kRegularisation,
     "Decay of a moving average of the weights, from 0 (none) to below 1; it is what\n"
     "is evaluated and saved",
     ", moving average {}", below_one("0.999")},
};

struct Recipe {
  const char* model;  // its id
  TrainSettings settings;
};

// lenet5-best: what a sweep over validation accuracy found (tools/results). mnist-99: the least
// time to 99 % that was found (README).
constexpr Recipe kRecipes[] = {{"lenet5-best",
                                {.lr = 0.05,
                                 .weight_decay = 5e-4,
                                 .optimizer = OptimizerKind::kNesterov,
                                 .schedule = Schedule::kCosine,
                                 .warmup = 2,
                                 .label_smoothing = 0.03,
                                 .shift = kAugmented.shift,
                                 .rotate = kAugmented.rotate,
                                 .scale = kAugmented.scale,
                                 .shear = kAugmented.shear}},
                               {"mnist-99",
                                {.epochs = 1,
                                 .lr = 0.4,
                                 .optimizer = OptimizerKind::kNesterov,
                                 .schedule = Schedule::kOneCycle,
                                 .label_smoothing = 0.1}}};

}  // namespace

std::span<const Setting> all_settings() {
  return kSettings;
}

bool changes_step(const Setting& setting) {
  const std::string_view group = setting.group;
  return group == kOptimizer || group == kRegularisation ||
         setting.member == Setting::Member(&S::seed) ||
         setting.member == Setting::Member(&S::shuffle);
}

TrainSettings recipe_of(std::string_view model_id) {
  for (const Recipe& recipe : kRecipes) {
    if (model_id == recipe.model) return recipe.settings;
  }
  return {};
}

}  // namespace digitron
