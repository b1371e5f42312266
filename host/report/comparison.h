// The groups of a report beside each other.
#pragma once

#include <span>
#include <vector>

#include "host/report/document.h"
#include "host/report/roles.h"

namespace digitron {

// One row a group: model, parameters, runs, test accuracy with its standard deviation, wrong
// images, test loss, time, and the probability of its difference from the reference.
Table comparison_table(const std::vector<const RunGroup*>& groups, const Roles& roles);

// LeNet-5 beside the groups that are no variants of it; every group where there is no LeNet-5.
std::vector<DocumentBlock> comparison_blocks(std::span<const RunGroup> groups, const Roles& roles);

// LeNet-5's variants beside it, and in words what they are. Nothing without variants.
std::vector<DocumentBlock> variant_blocks(const Roles& roles);

}  // namespace digitron
