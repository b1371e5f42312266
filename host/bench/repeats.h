// Rows measured over and over, each time in a fresh process.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "host/bench/axes.h"

namespace digitron {

// Called before each measurement: how many are done, and of which row the next one is.
using BenchProgress = std::function<void(size_t done, const RowRequest& next)>;

// request.repeat measurements of each of its rows, one after another. Where there are several, each
// is `program` with the request's command line (row_processes.h), and all rows are measured
// once before any is again, so that a slow minute does not fall on one row alone. A breakdown and
// a roofline are the first process's. What those processes say is logged, each line once. Throws an
// error of the kind and words of the process that fails; returns fewer rows when `stop` is raised.
std::vector<BenchRow> measure_rows(const BenchRequest& request,
                                   const std::vector<RowRequest>& wanted,
                                   const std::string& program, const std::atomic<bool>& stop,
                                   const BenchProgress& progress);

}  // namespace digitron
