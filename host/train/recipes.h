// Settings that go by a name.
#pragma once

#include "host/train/settings.h"

namespace digitron {

// What --augment stands for.
inline constexpr TrainSettings kAugmented{.shift = 2, .rotate = 10, .scale = 0.1, .shear = 5};

struct Recipe {
  const char* model;  // its id
  TrainSettings settings;
};

// What models are trained with unless told otherwise; those that are not listed get the reference
// job. lenet5-best: what a sweep over validation accuracy found (tools/results).
inline constexpr Recipe kRecipes[] = {{"lenet5-best",
                                       {.lr = 0.05,
                                        .weight_decay = 5e-4,
                                        .optimizer = OptimizerKind::kNesterov,
                                        .schedule = Schedule::kOneCycle,
                                        .label_smoothing = 0.05,
                                        .shift = kAugmented.shift,
                                        .rotate = kAugmented.rotate,
                                        .scale = kAugmented.scale,
                                        .shear = kAugmented.shear}}};

inline TrainSettings recipe_of(const Model& model) {
  for (const Recipe& recipe : kRecipes) {
    if (model.id == recipe.model) return recipe.settings;
  }
  return {};
}

}  // namespace digitron
