#include "host/train/settings.h"

#include <gmock/gmock.h>

#include <cmath>

#include "host/core/error.h"
#include "tests/data_testing.h"
#include "tests/models.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(TrainSettingsTest, DefaultsAreTheReferenceJob) {
  const TrainSettings settings;
  EXPECT_NO_THROW(check_settings(settings));
  EXPECT_EQ(settings.batch, 64);
  EXPECT_EQ(settings.epochs, 10);
  EXPECT_EQ(settings.lr, 0.01);
  EXPECT_EQ(settings.momentum, 0.9);
}

TEST(TrainSettingsTest, TheBestRecipeTrainsLeNet5Itself) {
  const Model best = find_model("lenet5-best");
  EXPECT_EQ(make_plan(best, 1).parameter_count, 61706u);
  EXPECT_EQ(best.layers, lenet5().layers);
  EXPECT_NO_THROW(check_settings(recipe_of(best.id)));
  EXPECT_EQ(recipe_of(best.id).schedule, Schedule::kCosine);
  EXPECT_TRUE(training_of(recipe_of(best.id)).augmentation.any());
  EXPECT_EQ(recipe_of(best.id).epochs, 10);
  for (const Model& model : {lenet5(), custom_mlp(), lenet5_improved()}) {
    EXPECT_EQ(recipe_of(model.id).schedule, Schedule::kConstant) << model.id;
    EXPECT_EQ(recipe_of(model.id).lr, 0.01) << model.id;
  }
}

TEST(TrainSettingsTest, TheFastestRecipeIsOneEpochOfASmallNetwork) {
  const Model fast = find_model("mnist-99");
  EXPECT_EQ(make_plan(fast, 1).parameter_count, 10558u);
  const TrainSettings settings = recipe_of(fast.id);
  EXPECT_NO_THROW(check_settings(settings));
  EXPECT_EQ(settings.epochs, 1);
  EXPECT_EQ(settings.schedule, Schedule::kOneCycle);
}

TEST(TrainSettingsTest, NonsenseIsNamed) {
  const auto message_of = [](auto change) {
    TrainSettings settings;
    change(settings);
    return error_of<InputError>([&] { check_settings(settings); });
  };
  for (const double lr : {-0.1, std::nan(""), HUGE_VAL, 1e39}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.lr = lr; }),
                MatchesRegex("--lr is .*; give a number of 0 or more, such as 0\\.01"));
  }
  for (const double momentum : {-0.1, 1.0, 0.999999999, std::nan(""), HUGE_VAL}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.momentum = momentum; }),
                MatchesRegex("--momentum is .*; give a number from 0 to below 1.*"));
  }
  for (const double decay : {-1e-9, std::nan(""), 1e39}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.weight_decay = decay; }),
                HasSubstr("; give a number of 0 or more, such as 0.0005"));
  }
  EXPECT_EQ(message_of([](TrainSettings& s) { s.epochs = 0; }), "--epochs is 0; give 1 or more");
  EXPECT_EQ(message_of([](TrainSettings& s) { s.batch = 0; }),
            "--batch is 0; give 1 or more images");
  EXPECT_THAT(message_of([](TrainSettings& s) { s.max_steps = 0; }),
              HasSubstr("--max-steps is 0; give 1"));
}

TEST(TrainSettingsTest, EveryOptionNamesItsRange) {
  const auto message_of = [](auto change) {
    TrainSettings settings;
    change(settings);
    return error_of<InputError>([&] { check_settings(settings); });
  };
  const double nan = std::nan("");
  for (const double bad : {-0.1, 1.0, nan}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.beta1 = bad; }),
                MatchesRegex("--beta1 is .*; give a number from 0 to below 1, such as 0\\.9"));
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.beta2 = bad; }),
                MatchesRegex("--beta2 is .*; give a number from 0 to below 1, such as 0\\.999"));
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.ema = bad; }), HasSubstr("--ema is "));
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.label_smoothing = bad; }),
                MatchesRegex("--label-smoothing is .*; give a number from 0 to below 1.*"));
  }
  for (const double bad : {0.0, -1.0, 1e-60, nan}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.eps = bad; }),
                HasSubstr("; give a number above 0, such as 1e-8"));
  }
  for (const double bad : {0.0, -1.0, 1.1, nan}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.gamma = bad; }),
                HasSubstr("; give a number above 0, up to 1"));
  }
  for (const double bad : {-1.0, 10.0, nan}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.warmup = bad; }),
                HasSubstr("; give a number of epochs from 0 to below --epochs, 10"));
  }
  for (const double bad : {-1.0, 45.5, nan}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.rotate = bad; }),
                MatchesRegex("--rotate is .*; give a number of degrees from 0 to 45"));
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.shear = bad; }), HasSubstr("--shear is "));
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.shift = bad; }),
                bad == 45.5 ? HasSubstr("--shift is 45.5; give a number of pixels from 0 to 28")
                            : HasSubstr("--shift is "));
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.scale = bad; }),
                HasSubstr("; give a number from 0 to 0.9"));
  }
  EXPECT_EQ(message_of([](TrainSettings& s) { s.step_epochs = 0; }),
            "--step-epochs is 0; give 1 or more epochs");
  EXPECT_EQ(message_of([](TrainSettings& s) { s.validation = -1; }),
            "--validation is -1; give a number of images, 0 for none");
  EXPECT_THAT(message_of([](TrainSettings& s) { s.patience = 3; }),
              HasSubstr("--patience needs a validation set"));
  EXPECT_THAT(message_of([](TrainSettings& s) { s.patience = 0; }),
              HasSubstr("--patience is 0; give 1 or more epochs"));
  EXPECT_EQ(message_of([](TrainSettings& s) {
              s.optimizer = OptimizerKind::kNesterov;
              s.momentum = 0;
            }),
            "--optimizer nesterov needs a --momentum above 0, such as 0.9");
  EXPECT_EQ(error_of<InputError>([] {
              OptimizerKind kind{};
              parse("sdg", kind);
            }),
            "--optimizer is 'sdg'; give sgd, nesterov, adam or adamw");
  EXPECT_EQ(error_of<InputError>([] {
              Schedule schedule{};
              parse("", schedule);
            }),
            "--schedule is ''; give constant, step, cosine or one-cycle");
}

TEST(TrainSettingsTest, SomeSettingsChangeNoStep) {
  std::vector<std::string> others;
  for (const Setting& setting : all_settings()) {
    if (!changes_step(setting)) others.emplace_back(setting.name);
  }
  EXPECT_THAT(others, ElementsAre("epochs", "batch", "schedule", "warmup", "step_epochs", "gamma",
                                  "validation", "patience", "max_steps", "log_steps"));
}

TEST(TrainSettingsTest, CountsFitTheData) {
  TrainSettings settings;
  settings.batch = 100;
  settings.validation = 50;
  EXPECT_NO_THROW(check_counts(settings, 150));
  EXPECT_EQ(error_of<InputError>([&] { check_counts(settings, 149); }),
            "--batch is 100, but the training set has 99 images without the validation set's; give "
            "at most that many");
  EXPECT_EQ(error_of<InputError>([&] { check_counts(settings, 50); }),
            "--validation is 50, but the training set has 50 images; give fewer");
  settings.validation = 0;
  EXPECT_EQ(error_of<InputError>([&] { check_counts(settings, 99); }),
            "--batch is 100, but the training set has 99 images; give at most that many");
}

TEST(TrainSettingsTest, TheLogSaysWhatMatters) {
  TrainSettings settings;
  EXPECT_EQ(settings_text(settings),
            "SGD: epochs 10, batch 64, lr 0.01, momentum 0.9, weight decay 0, seed 1");
  settings.optimizer = OptimizerKind::kAdamW;
  settings.schedule = Schedule::kOneCycle;
  settings.warmup = 1.5;
  settings.rotate = 10;
  settings.ema = 0.99;
  settings.validation = 5000;
  settings.patience = 2;
  EXPECT_EQ(settings_text(settings),
            "AdamW: epochs 10, batch 64, lr 0.01, betas 0.9 and 0.999, weight decay 0, seed 1, "
            "schedule one-cycle, warm-up 1.5 epochs, augmented: shift 0, rotate 10, scale 0, "
            "shear 0, validation 5000 images, patience 2 epochs, moving average 0.99");
}

TEST(TrainSettingsTest, AugmentationIsInFixedPoint) {
  TrainSettings settings;
  EXPECT_FALSE(training_of(settings).augmentation.any());
  settings.shift = 1.5;
  settings.rotate = 45;
  settings.scale = 0.9;
  settings.shear = 45;
  const Augmentation limits = training_of(settings).augmentation;
  EXPECT_EQ(limits.shift, 98304);
  EXPECT_EQ(limits.rotate, kMostAngle);
  EXPECT_EQ(limits.scale, kMostScale);
  EXPECT_EQ(limits.shear, kMostAngle);
}

}  // namespace
}  // namespace digitron
