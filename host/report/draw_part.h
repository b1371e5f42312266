// The part of a report in which the reader draws a digit and the best model reads it.
#pragma once

#include <span>
#include <vector>

#include "host/report/document.h"
#include "host/report/run_group.h"

namespace digitron {

// With the checkpoint of the complete run that has the highest final test accuracy, of those whose
// network a page can hold; without one a sentence says why. Nothing for no groups.
std::vector<DocumentBlock> draw_blocks(std::span<const RunGroup> groups);

}  // namespace digitron
