// The models of a report beside each other.
#pragma once

#include <span>
#include <vector>

#include "host/report/document.h"
#include "host/report/run_group.h"

namespace digitron {

// One row a group: model, parameters, runs, accuracies, loss, time.
Table comparison_table(std::span<const RunGroup> groups);

// The part of the report: the table, and, of several groups, test accuracy and loss over epochs.
std::vector<DocumentBlock> comparison_blocks(std::span<const RunGroup> groups);

// One metric of a group over its epochs, times `scale`.
struct Curve curve_of(const RunGroup& group, Metric metric, double scale);

}  // namespace digitron
