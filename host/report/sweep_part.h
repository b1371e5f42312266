// The part of a report that is about a sweep.
#pragma once

#include <string>
#include <vector>

#include "host/report/document.h"
#include "host/report/sweep_record.h"

namespace digitron {

// One row a setting, the best first: what it changes, runs, mean and standard deviation of the test
// accuracy, the difference from the reference, its probability, and whether that helps.
Table settings_table(const SweepRecord& sweep);

// What is wrong with the sweep; then, of what there is, the answer, the table and the picture.
// Throws MachineError as run_gnuplot does.
std::vector<DocumentBlock> sweep_blocks(const SweepRecord& sweep);

}  // namespace digitron
