#include "host/train/settings_json.h"

#include <gmock/gmock.h>

#include "host/core/error.h"
#include "host/files/json.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;

// Every setting another value than its default.
ordered_json other_values() {
  return ordered_json::parse(R"({
    "epochs": 3, "batch": 5, "lr": 0.3, "momentum": 0.8, "weight_decay": 1e-4,
    "seed": 18446744073709551615, "shuffle": false, "max_steps": 77, "log_steps": true,
    "optimizer": "adamw", "beta1": 0.7, "beta2": 0.98, "eps": 1e-7, "ema": 0.99,
    "schedule": "one-cycle", "warmup": 0.5, "step_epochs": 2, "gamma": 0.25,
    "label_smoothing": 0.1, "shift": 1.5, "rotate": 7.0, "scale": 0.2, "shear": 3.0,
    "validation": 7, "patience": 2})");
}

TEST(SettingsJson, EverySettingComesBack) {
  const ordered_json others = other_values();
  const ordered_json defaults = settings_json({});
  EXPECT_EQ(defaults.size(), others.size());
  for (const auto& [name, value] : defaults.items()) {
    ASSERT_TRUE(others.contains(name)) << name;
    EXPECT_NE(value, others[name]) << name;
  }
  EXPECT_EQ(settings_json(settings_from_json(others)), others) << "the order is compared too";
  EXPECT_EQ(settings_json(settings_from_json(defaults)), defaults);
}

TEST(SettingsJson, WhatAnOlderProgramDidNotWriteKeepsItsDefault) {
  const TrainSettings settings = settings_from_json({{"epochs", 2}});
  EXPECT_EQ(settings.epochs, 2);
  EXPECT_EQ(settings.batch, 64);
}

TEST(SettingsJson, NonsenseIsNamed) {
  EXPECT_EQ(testing::error_of<InputError>([] {
              settings_from_json({{"epochs", "two"}});
            }),
            "run.json: settings: epochs is \"two\"; it must be a whole number from -2147483648 to "
            "2147483647; restore the file, or start a new run");
  for (const ordered_json& value :
       {ordered_json(4294967297), ordered_json(1e300), ordered_json(2.5), ordered_json(true)}) {
    EXPECT_THROW(settings_from_json({{"epochs", value}}), InputError) << value;
  }
}

TEST(SettingsJson, OneSettingIsChangedAlone) {
  const ordered_json others = other_values();
  for (const auto& [name, value] : others.items()) {
    const ordered_json changed = settings_json(settings_from_json({{name, value}}));
    const ordered_json defaults = settings_json({});
    int differences = 0;
    for (const auto& [key, now] : changed.items()) differences += now != defaults[key];
    EXPECT_EQ(differences, 1) << name;
    EXPECT_EQ(changed[name], value) << name;
    EXPECT_EQ(changed_settings_json(settings_from_json({{name, value}})),
              ordered_json({{name, value}}));
  }
}

TEST(SettingsJson, ARecipesWarmUpGoesWithItsSchedule) {
  const TrainSettings recipe = recipe_of("lenet5-best");
  ASSERT_EQ(recipe.warmup, 2);
  const auto warm_up = [&](const ordered_json& given) {
    return settings_from_json(given, recipe).warmup;
  };
  EXPECT_EQ(warm_up({{"epochs", 3}}), 2);
  EXPECT_EQ(warm_up({{"epochs", 2}}), std::nullopt);
  EXPECT_EQ(warm_up({{"schedule", "one-cycle"}}), std::nullopt);
  EXPECT_EQ(warm_up({{"schedule", "cosine"}, {"lr", 0.1}}), 2);
  EXPECT_EQ(warm_up({{"epochs", 2}, {"warmup", 3}}), 3);  // refused when it is checked
}

}  // namespace
}  // namespace digitron
