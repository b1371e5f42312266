// The bench's own file. tests/bench_json_test.cpp lists all that is in it.
#pragma once

#include <string>
#include <vector>

#include "host/bench/bench.h"

namespace digitron {

inline constexpr const char* kBenchSchema = "digitron-bench/1";

// One call of the bench.
struct BenchReport {
  std::vector<std::string> command;  // argv
  std::string date;                  // when it began, ISO 8601 in UTC
  std::vector<BenchRow> rows;
  nlohmann::ordered_json against = {};  // of --against, as against_json has it; else null
};

// {"schema", "build", "machine", "command", "date", "against" where there is one, "rows"}: every
// sample of every row, and their summary. Times are in seconds, rates a second, noises fractions;
// null is what there is not.
nlohmann::ordered_json bench_json(const BenchReport& report);

// The same as text: a line a row, since samples are many.
std::string bench_file(const BenchReport& report);

// A row as it stands in the file, both ways: a process that measured one hands it on so. What is
// missing or of the wrong type throws nlohmann's exception.
nlohmann::ordered_json row_json(const BenchRow& row);
BenchRow row_from_json(const nlohmann::ordered_json& json);

}  // namespace digitron
