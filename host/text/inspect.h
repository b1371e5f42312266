// The plan and the model's answers as text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/core/devices.h"
#include "host/core/plan.h"
#include "host/text/table.h"

namespace digitron {

// "(1 × 5 × 5) × 6 + 6 = 156", "6 + 6 = 12" of a batch normalisation; empty for a layer without
// parameters.
std::string parameter_arithmetic(const Plan& plan, const PlannedLayer& layer);

// A heading, one row a layer, a total: name, input, output, kernel, the arithmetic of its
// parameters, FLOPs forward and backward, activation bytes.
std::vector<Row> plan_rows(const Plan& plan);

// The same as a table, with the number of parameters above it and notes below.
std::string plan_table(const Plan& plan);

// What a model of several views does with them; empty for one view.
std::string views_sentence(const Model& model);

// logits (count, classes) -> the class of the largest one of each row, the first where several are
// equal.
std::vector<int> predicted_classes(std::span<const float> logits, int classes);

// One row of logits -> probabilities, in double.
std::vector<double> softmax(std::span<const float> logits);

// One row an image: its name, class and the probability of each class; where there are many, or
// where they have names, of the three likeliest. logits (images, classes).
std::string prediction_table(const Task& task, const std::vector<std::string>& names,
                             std::span<const float> logits);

// "4", "2 Pullover"
std::string class_text(const Task& task, size_t index);

// [truth][prediction] -> how many images.
using Confusion = std::vector<std::vector<int64_t>>;
Confusion confusion_counts(std::span<const uint8_t> labels, std::span<const int> predictions,
                           int classes);

// The share of class `truth` that was recognised, in percent: "99.12%", "-" without such images.
std::string recall_text(const Confusion& counts, size_t truth);

// Rows are the truth, columns the prediction, and each class's recall.
std::string confusion_table(const Task& task, const Confusion& counts);

// What an engine tells beside its description, a row each; numbers in groups of three digits.
std::string details_table(const std::vector<Detail>& details);
std::string value_text(const Detail& detail);

}  // namespace digitron
