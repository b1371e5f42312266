// The part of a report that says how each run was made.
#pragma once

#include <span>
#include <vector>

#include "host/files/run_record.h"
#include "host/report/document.h"

namespace digitron {

// What is broken; a row a run with its seed, time, device and command; the settings of each group
// that are not the defaults. Folded: everything in run.json, whether it is known here or not, first
// what all runs have in common, then what is each run's own.
std::vector<DocumentBlock> run_blocks(std::span<const RunRecord> runs);

}  // namespace digitron
