// The part of a report that is about one model.
#pragma once

#include <vector>

#include "host/report/document.h"
#include "host/report/evaluation.h"
#include "host/report/run_group.h"

namespace digitron {

// Parameters, confusion matrix, wrong images, first layer; what is missing is said in its place.
std::vector<DocumentBlock> model_blocks(const RunGroup& group, DataSources& sources);

}  // namespace digitron
