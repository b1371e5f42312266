// The part of a report that says how each run was made.
#pragma once

#include <span>
#include <vector>

#include "host/files/run_record.h"
#include "host/report/document.h"

namespace digitron {

// Everything in run.json, whether it is known here or not: first what all runs have in common, then
// what is each run's own, with its problems and its time.
std::vector<DocumentBlock> run_blocks(std::span<const RunRecord> runs);

}  // namespace digitron
