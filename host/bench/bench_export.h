// The bench's figures in the formats of others.
#pragma once

#include <string>

#include "host/bench/bench_json.h"

namespace digitron {

// What row a figure is of, to be read by people and compared by programs:
// "lenet5/train/batch:64/threads:2".
std::string row_name(const BenchRow& row);

// A header and a line a row: its summary, without the samples (RFC 4180).
std::string bench_csv(const BenchReport& report);

// Google Benchmark's JSON, as its --benchmark_out writes it and its compare.py reads it: a
// repetition for each repeat, whose real_time is the median of its samples and whose cpu_time is of
// all threads of the process; and, for several, their mean, median, stddev and cv.
nlohmann::ordered_json google_benchmark_json(const BenchReport& report);

}  // namespace digitron
