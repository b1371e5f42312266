// Runs that differ in nothing but their seed, taken together.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/files/run_record.h"
#include "host/text/statistics.h"

namespace digitron {

// One figure of an epoch.
using Metric = std::optional<double> EpochRecord::*;

struct RunGroup {
  std::string label;                   // the model's name, and what sets it apart from a namesake
  std::vector<const RunRecord*> runs;  // as given
  std::vector<const RunRecord*> complete;  // those that reached the last epoch: figures are theirs
  std::optional<int> last_epoch;           // the last one with test figures in any of the runs

  // Over the complete runs that have the figure.
  std::optional<Statistics> at_epoch(int epoch, Metric metric) const;
  // Over the complete runs: test accuracy after the last epoch; each run's best one.
  std::optional<Statistics> final_figure(Metric metric) const;
  std::optional<Statistics> best_test_accuracy() const;
  // Over the complete runs: seconds of training in all.
  std::optional<Statistics> training_seconds() const;

  int epoch_count() const;    // the highest epoch number in any complete run, 0 for none
  std::string seeds() const;  // "1, 2, 3"
};

// A setting that does not change the result, or that a group's runs may differ in.
bool is_incidental(const std::string& setting);

// Groups in the order of their first run. Runs go together when model, every setting but the seed,
// data, device and precision are the same; a run that does not say what it is stays alone, and a
// hollow one is left out.
std::vector<RunGroup> group_runs(std::span<const RunRecord> runs);

}  // namespace digitron
