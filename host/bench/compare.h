// Two benches side by side: which rows are slower or faster by more than chance, and which are not?
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/bench/bench_file.h"
#include "host/bench/rank_test.h"

namespace digitron {

struct CompareSettings {
  double margin = 2;       // percent, below which a difference is none
  double fail_slower = 2;  // percent, above which a slower row fails
  bool across = false;     // compare unlike machines too
  bool trust = false;      // count the repeats that were disturbed too
  // Repeats of the same number were measured by turns. What disturbs the machine then meets both,
  // so all of them count, and it is their ratios that are judged.
  bool paired = false;
};

// Throws InputError for a number out of range, naming its option.
void check_settings(const CompareSettings& settings);

enum class Verdict {
  kSame,      // the interval lies within the margin
  kFaster,    // p is at most 5 %, and the ratio lies beyond the margin and what either side sways
  kSlower,    // likewise
  kAmbiguous  // neither is shown
};

struct RowSide {
  double seconds = 0;  // a step's: the median of the repeats
  size_t repeats = 0;
  size_t used = 0;  // of these; the others were disturbed
  // The slowest repeat over the fastest, but for one of each. A machine whose speed changes while
  // it is measured has a large one: then repeats are not independent, and p says too little. It
  // says nothing of pairs, where it is 1.
  double sway = 1;
};

struct RowComparison {
  std::string name;
  RowSide old_side;
  RowSide new_side;
  double ratio = 1;                  // new over old: ratio_estimate; of pairs walsh_median
  std::optional<Interval> interval;  // ratio_interval, walsh_interval
  // mann_whitney_p, signed_rank_p, as holm_adjusted raises it over the rows.
  std::optional<double> p;
  Verdict verdict = Verdict::kAmbiguous;
  bool fails = false;  // slower, by more than the settings allow
};

// A fact that the two files tell differently.
struct Difference {
  std::string name, old_value, new_value;

  std::string text() const;  // "kernel (6.1.0 and 6.2.0)"
};

struct Comparison {
  CompareSettings settings;
  std::vector<Difference> machine;
  std::vector<Difference> build;
  std::vector<RowComparison> rows;    // those in both files, in the old one's order
  std::vector<std::string> only_old;  // names of the others
  std::vector<std::string> only_new;

  bool fails() const;
  // Some row had too few undisturbed repeats to show a difference, however large.
  bool lacks_repeats() const;
  // Some row is ambiguous because a side sways more than the sides differ.
  bool sways() const;
};

// Throws InputError for machines that differ in what steps take, unless settings.across, and when
// no row is in both files.
Comparison compare(const BenchFile& old_file, const BenchFile& new_file,
                   const CompareSettings& settings);

// How many repeats in each of two files, of so many rows, can show a difference; 5 or more. Of
// pairs 6 or more.
size_t repeats_needed(size_t rows, bool paired = false);

// What differs, a row each and what the verdicts mean; as Markdown, or for a terminal.
std::string comparison_text(const BenchFile& old_file, const BenchFile& new_file,
                            const Comparison& comparison, bool markdown);

// Schema "digitron-compare/1"; seconds, and ratios of new over old.
nlohmann::ordered_json comparison_json(const BenchFile& old_file, const BenchFile& new_file,
                                       const Comparison& comparison);

// All of it but what the files are: "margin_percent", "rows", "fails" and more.
nlohmann::ordered_json verdicts_json(const Comparison& comparison);

}  // namespace digitron
