// A sweep, read from the sweep.json that `digitron sweep` writes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/text/significance.h"

namespace digitron {

struct SweepRow {
  std::string name;
  std::vector<std::string> options;    // of `digitron train`
  std::optional<Statistics> accuracy;  // on the test set, a fraction; nothing without a run
  Significance significance;           // against the reference
};

struct SweepRecord {
  std::filesystem::path path;         // as it was given
  std::string origin;                 // "2026-01-31, on an AMD EPYC"; empty where it is not said
  std::vector<std::string> common;    // options of every run
  std::vector<SweepRow> rows;         // as in the file, the reference first
  std::vector<std::string> problems;  // what is missing or damaged, a line each

  // What all are compared with; nullptr where it is damaged or has no run.
  const SweepRow* reference() const;
  // Those that have runs, the best first.
  std::vector<const SweepRow*> by_mean() const;

  bool reference_is_damaged = false;
};

// `path` is sweep.json or the directory that holds it. Throws nothing for what is in there.
SweepRecord read_sweep(const std::filesystem::path& path);

}  // namespace digitron
