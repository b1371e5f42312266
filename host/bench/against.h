// Two builds of the program, measured in turn: `digitron bench --against PROGRAM`. A machine whose
// speed changes for seconds or minutes changes it for both, where two benches one after the other
// would each have caught a state of their own.
#pragma once

#include "host/bench/bench_file.h"
#include "host/bench/bench_json.h"
#include "host/bench/compare.h"
#include "host/bench/repeats.h"

namespace digitron {

// What --against has in place of bench's defaults.
inline constexpr int kPairs = 12;
inline constexpr double kPairWarmup = 0.05;
inline constexpr double kPairMinTime = 0.3;

// One of the two, with what it measured: a repeat of each row in every pair.
struct Contender {
  std::string program;                                              // an absolute path
  nlohmann::ordered_json build = nlohmann::ordered_json::object();  // empty: it did not tell
  std::vector<BenchRow> rows = {};
};

struct Contest {
  Contender old_one;
  Contender new_one;
  Comparison comparison;
};

// The absolute path of the program. Throws InputError for what is no digitron that runs.
std::string require_digitron(const std::string& program);

// Measures each row request.repeat times with either program, in two fresh processes that take
// turns of a fiftieth of a second on the same CPUs, which of them first by turns too; and all rows
// once before any is again. A process is its program with the request's command line, the request's
// sampling, and without what is of pairs. Throws what RowProcesses and compare throw; returns
// nothing when `stop` is raised.
std::optional<Contest> measure_against(
    const BenchRequest& request, const std::vector<RowRequest>& wanted,
    const std::string& old_program, const std::string& new_program, const CompareSettings& settings,
    const std::atomic<bool>& stop, const BenchProgress& progress);

// As comparison_text.
std::string against_text(const Contest& contest, bool markdown);

// "program", "build" and "rows" of the old one, and "verdicts" as verdicts_json has them.
nlohmann::ordered_json against_json(const Contest& contest);

}  // namespace digitron
