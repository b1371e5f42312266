// The part of a report that draws runs over their epochs.
#pragma once

#include <span>
#include <vector>

#include "host/report/document.h"
#include "host/report/run_group.h"

namespace digitron {

// Of several groups, test loss and accuracy beside each other; then each group's curves under its
// name, all on the same axes, and the table of its epochs. A group without an epoch says so.
std::vector<DocumentBlock> curve_blocks(std::span<const RunGroup> groups);

}  // namespace digitron
