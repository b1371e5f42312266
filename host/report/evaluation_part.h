// The part of a report that is about one checkpoint of a model.
#pragma once

#include <string>
#include <vector>

#include "host/report/document.h"
#include "host/report/evaluation.h"
#include "host/report/run_group.h"

namespace digitron {

// "runs/lenet5 (seed 1)".
std::string run_name(const RunRecord& run);

// The first complete run that has a checkpoint, else the first run that has one; nullptr for none.
const RunRecord* run_to_evaluate(const RunGroup& group);

// Confusion matrix, wrong images and first layer of the group's first run that reached its end with
// a checkpoint (else the first that has one); what cannot be had is said in its place.
std::vector<DocumentBlock> evaluation_blocks(const RunGroup& group, DataSources& sources);

}  // namespace digitron
