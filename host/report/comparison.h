// The models of a report beside each other.
#pragma once

#include <span>
#include <vector>

#include "host/report/document.h"
#include "host/report/run_group.h"

namespace digitron {

// One row a group: model, parameters, runs, accuracies, loss, time.
Table comparison_table(std::span<const RunGroup> groups);

// The part of the report: the table, and what is known of LeNet-5.
std::vector<DocumentBlock> comparison_blocks(std::span<const RunGroup> groups);

}  // namespace digitron
