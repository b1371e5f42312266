// What speaks against a figure, as notes below a table.
#pragma once

#include <string>
#include <vector>

#include "host/bench/bench.h"

namespace digitron {

// The warnings of a row's repeats, and the criteria that they missed: each text once, with the
// repeats that it is of.
std::vector<std::string> objections(const BenchRow& row);

// Numbers the notes of all rows, each text once.
class BenchNotes {
 public:
  // "! 1 2": the mark of a row; empty where nothing speaks against it.
  std::string mark(const BenchRow& row);

  // From number 1 on.
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_;
};

}  // namespace digitron
