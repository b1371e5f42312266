// The plan and the model's answers as text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/engine.h"
#include "host/plan.h"

namespace digitron {

// Per layer: name, shapes, kernel, the arithmetic of its parameters, FLOPs, activation bytes; then
// totals.
std::string plan_table(const Plan& plan);

// logits (count, kClasses) -> the class of the largest one of each row, the first where several are
// equal.
std::vector<int> predicted_classes(std::span<const float> logits);

// One row of logits -> probabilities, in double.
std::vector<double> softmax(std::span<const float> logits);

// One row an image: its name, class and probabilities. logits (images, kClasses).
std::string prediction_table(const std::vector<std::string>& names, std::span<const float> logits);

// labels (count), predictions (count): rows are the truth, columns the prediction, and each class's
// recall.
std::string confusion_table(std::span<const uint8_t> labels, std::span<const int> predictions);

}  // namespace digitron
