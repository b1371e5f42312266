// The bench's figures for people.
#pragma once

#include <string>
#include <vector>

#include "host/bench/bench.h"

namespace digitron {

// Where the figures were measured, a row each, and below it what speaks against them: times in
// microseconds, then the seconds of each start. A column in which all rows are the same is left
// out where the lines above it say so.
std::string bench_table(const std::vector<BenchRow>& rows);

// The same in Markdown (GitHub's tables).
std::string bench_markdown(const std::vector<BenchRow>& rows);

}  // namespace digitron
