#include "host/bench/compare.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "host/core/error.h"
#include "host/files/run_record.h"
#include "host/text/significance.h"
#include "host/text/statistics.h"
#include "host/text/text.h"

namespace digitron {

namespace {

constexpr double kMostChance = 1 - kConfidence;
constexpr size_t kFewestRepeats = 5;
constexpr size_t kMostCharacters = 60;  // of a value that is shown
constexpr double kMostPercent = 100;

// What the time of a step depends on; in memory, kernel and drivers machines may differ.
constexpr std::array kDecisive{"cpu", "cores", "threads", "cpu_quota", "gpus", "device"};

std::string shown(const nlohmann::json& value) {
  return shortened(one_line(value_text(value)), kMostCharacters);
}

// Facts of a file's "machine" or "build", with the names of its GPUs alone, since drivers change.
nlohmann::json comparable(nlohmann::json object) {
  const auto gpus = object.find("gpus");
  if (gpus == object.end() || !gpus->is_array()) return object;
  nlohmann::json names = nlohmann::json::array();
  for (const nlohmann::json& gpu : *gpus)
    names.push_back(gpu.is_object() ? gpu.value("name", nlohmann::json()) : gpu);
  *gpus = names.empty() ? nlohmann::json() : names;
  return object;
}

std::vector<Difference> differences(const nlohmann::json& old_object,
                                    const nlohmann::json& new_object) {
  const nlohmann::json old_facts = comparable(old_object);
  const nlohmann::json new_facts = comparable(new_object);
  std::set<std::string> names;
  for (const nlohmann::json* object : {&old_facts, &new_facts}) {
    for (const auto& [name, value] : object->items()) names.insert(name);
  }
  std::vector<Difference> result;
  for (const std::string& name : names) {
    const nlohmann::json old_value = old_facts.value(name, nlohmann::json());
    const nlohmann::json new_value = new_facts.value(name, nlohmann::json());
    if (old_value == new_value) continue;
    result.push_back({one_line(name), shown(old_value), shown(new_value)});
  }
  return result;
}

void require_like_machines(const Comparison& comparison) {
  std::string text;
  for (const Difference& fact : comparison.machine) {
    if (std::find(kDecisive.begin(), kDecisive.end(), fact.name) == kDecisive.end()) continue;
    text += (text.empty() ? "" : ", ") + fact.text();
  }
  if (text.empty()) return;
  throw InputError("the machines differ: " + text +
                   "; bench both on one machine, or give --across to compare them all the same");
}

std::vector<double> figures(const MeasuredRow& row, bool disturbed_too) {
  std::vector<double> seconds;
  for (const MeasuredRepeat& repeat : row.repeats) {
    if (disturbed_too || !repeat.disturbed) seconds.push_back(repeat.seconds);
  }
  return seconds;
}

bool can_tell(size_t old_count, size_t new_count, size_t rows, bool paired = false) {
  if (old_count == 0 || new_count == 0) return false;
  const double p = paired ? least_signed_rank_p(old_count) : least_p(old_count, new_count);
  return static_cast<double>(rows) * p <= kMostChance;
}

double sway_of(std::vector<double> figures) {
  std::sort(figures.begin(), figures.end());
  return figures.size() < 4 ? 1 : figures[figures.size() - 2] / figures[1];
}

// By which factor, as a logarithm, the new one is slower in a pair: the middle one of its turns'.
double log_ratio(const MeasuredRepeat& old_repeat, const MeasuredRepeat& new_repeat) {
  const size_t turns = std::min(old_repeat.slices.size(), new_repeat.slices.size());
  if (turns == 0) return std::log(new_repeat.seconds / old_repeat.seconds);
  std::vector<double> logs;
  for (size_t i = 0; i < turns; ++i) {
    logs.push_back(std::log(new_repeat.slices[i] / old_repeat.slices[i]));
  }
  return median_of(std::move(logs));
}

RowComparison compare_pairs(const MeasuredRow& old_row, const MeasuredRow& new_row) {
  const size_t pairs = old_row.repeats.size();
  std::vector<double> logs;
  for (size_t i = 0; i < pairs; ++i) {
    logs.push_back(log_ratio(old_row.repeats[i], new_row.repeats[i]));
  }
  RowComparison row{old_row.name,
                    {median_of(figures(old_row, true)), pairs, pairs},
                    {median_of(figures(new_row, true)), pairs, pairs},
                    std::exp(walsh_median(logs)),
                    walsh_interval(logs),
                    signed_rank_p(logs)};
  if (row.interval) row.interval = {std::exp(row.interval->low), std::exp(row.interval->high)};
  return row;
}

// All but the verdict, for which p must be raised over all rows first. Where undisturbed repeats
// are too few, the figures are those of all repeats, and there is no p.
RowComparison compare_row(const MeasuredRow& old_row, const MeasuredRow& new_row, bool trust) {
  std::vector<double> old_figures = figures(old_row, trust);
  std::vector<double> new_figures = figures(new_row, trust);
  RowComparison row;
  row.name = old_row.name;
  row.old_side = {0, old_row.repeats.size(), old_figures.size()};
  row.new_side = {0, new_row.repeats.size(), new_figures.size()};
  if (can_tell(old_figures.size(), new_figures.size(), 1)) {
    row.interval = ratio_interval(old_figures, new_figures);
    row.p = mann_whitney_p(old_figures, new_figures);
  } else {
    old_figures = figures(old_row, true);
    new_figures = figures(new_row, true);
  }
  row.old_side.sway = sway_of(old_figures);
  row.new_side.sway = sway_of(new_figures);
  row.old_side.seconds = median_of(old_figures);
  row.new_side.seconds = median_of(new_figures);
  row.ratio = ratio_estimate(old_figures, new_figures);
  // A file beside itself is one measurement, however noisy.
  if (old_figures == new_figures) row.interval = Interval{1, 1};
  return row;
}

// The margin is one on a logarithmic scale, so that exchanging the files exchanges the verdicts.
Verdict verdict(const RowComparison& row, double margin) {
  const bool differs = row.p && *row.p <= kMostChance;
  if (row.interval && row.interval->low >= 1 / margin && row.interval->high <= margin) {
    return Verdict::kSame;
  }
  const double beyond = std::max({margin, row.old_side.sway, row.new_side.sway});
  if (differs && row.ratio > beyond) return Verdict::kSlower;
  if (differs && row.ratio < 1 / beyond) return Verdict::kFaster;
  return Verdict::kAmbiguous;
}

void judge(Comparison& comparison) {
  std::vector<double> p;
  for (const RowComparison& row : comparison.rows) {
    if (row.p) p.push_back(*row.p);
  }
  p = holm_adjusted(p);
  auto next = p.begin();
  const CompareSettings& settings = comparison.settings;
  for (RowComparison& row : comparison.rows) {
    if (row.p) row.p = *next++;
    row.verdict = verdict(row, 1 + settings.margin / 100);
    row.fails = row.verdict == Verdict::kSlower && row.ratio > 1 + settings.fail_slower / 100;
  }
}

}  // namespace

void check_settings(const CompareSettings& settings) {
  const auto require = [](const char* option, double percent) {
    if (percent >= 0 && percent <= kMostPercent) return;
    throw InputError(fmt::format("{} is {}; give a percentage from 0 to 100", option, percent));
  };
  require("--margin", settings.margin);
  require("--fail-slower", settings.fail_slower);
}

std::string Difference::text() const {
  return fmt::format("{} ({} and {})", name, old_value, new_value);
}

bool Comparison::fails() const {
  return std::any_of(rows.begin(), rows.end(), [](const RowComparison& row) { return row.fails; });
}

bool Comparison::lacks_repeats() const {
  return std::any_of(rows.begin(), rows.end(), [&](const RowComparison& row) {
    return row.verdict == Verdict::kAmbiguous &&
           !can_tell(row.old_side.used, row.new_side.used, rows.size(), settings.paired);
  });
}

bool Comparison::sways() const {
  return std::any_of(rows.begin(), rows.end(), [&](const RowComparison& row) {
    const double sway = std::max(row.old_side.sway, row.new_side.sway);
    return row.verdict == Verdict::kAmbiguous && sway > 1 + settings.margin / 100 &&
           sway >= std::max(row.ratio, 1 / row.ratio);
  });
}

size_t repeats_needed(size_t rows, bool paired) {
  size_t repeats = kFewestRepeats;
  while (!can_tell(repeats, repeats, rows, paired)) ++repeats;
  return repeats;
}

Comparison compare(const BenchFile& old_file, const BenchFile& new_file,
                   const CompareSettings& settings) {
  Comparison comparison{settings,
                        differences(old_file.machine, new_file.machine),
                        differences(old_file.build, new_file.build),
                        {},
                        {},
                        {}};
  std::set<std::string> in_old;
  for (const MeasuredRow& old_row : old_file.rows) {
    in_old.insert(old_row.identity);
    const auto same = std::find_if(
        new_file.rows.begin(), new_file.rows.end(),
        [&](const MeasuredRow& new_row) { return new_row.identity == old_row.identity; });
    if (same == new_file.rows.end()) {
      comparison.only_old.push_back(old_row.name);
      continue;
    }
    if (old_row.device != same->device) {
      comparison.machine.push_back({"device", old_row.device, same->device});
    }
    comparison.rows.push_back(settings.paired ? compare_pairs(old_row, *same)
                                              : compare_row(old_row, *same, settings.trust));
  }
  for (const MeasuredRow& row : new_file.rows) {
    if (!in_old.contains(row.identity)) comparison.only_new.push_back(row.name);
  }
  if (!settings.across) require_like_machines(comparison);
  if (comparison.rows.empty()) {
    throw InputError(
        fmt::format("{} and {} have no row in common (the first has {}, the second {})"
                    "; bench both with the same options",
                    old_file.path.string(), new_file.path.string(), old_file.rows[0].name,
                    new_file.rows[0].name));
  }
  judge(comparison);
  return comparison;
}

}  // namespace digitron
