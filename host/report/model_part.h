// The parts of a report that are about one model each.
#pragma once

#include <span>
#include <vector>

#include "host/report/document.h"
#include "host/report/evaluation.h"
#include "host/report/run_group.h"

namespace digitron {

// The arithmetic of every network's parameters; what is not known is said in its place.
std::vector<DocumentBlock> parameter_blocks(std::span<const RunGroup> groups);

// What is wrong with the group's runs, and where its model is wrong.
std::vector<DocumentBlock> mistake_blocks(const RunGroup& group, DataSources& sources);

}  // namespace digitron
