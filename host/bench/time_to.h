// Time to accuracy: how long a training takes, from the first byte of its data on, until an
// evaluation shows the accuracy that is asked for; over many seeds, since luck decides the last
// tenth of a percent.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/core/engine.h"
#include "host/text/statistics.h"
#include "host/train/session.h"

namespace digitron {

struct TimeToRequest {
  double accuracy = 0;          // to be reached, a fraction
  std::vector<uint64_t> seeds;  // one run each
  // What is trained on what: command, model (default: mnist-99), dropout, data, device, settings.
  // With --validation the accuracy is that of the validation set, and the test set is not
  // evaluated.
  SessionRequest session;
};

// Where the time of a run went, in seconds by the host's clock: all of it, one after the other.
struct RunSeconds {
  double data = 0;        // reading, unpacking and checking the files
  double start = 0;       // making the engine, giving it the data and the initial parameters
  double training = 0;    // the steps
  double evaluation = 0;  // after each epoch
  double total() const { return data + start + training + evaluation; }
};

struct TimedRun {
  uint64_t seed = 0;
  RunSeconds seconds;
  int epochs = 0;  // begun
  int64_t steps = 0;
  Metrics held_out;  // of the newest evaluation
  bool reached = false;
};

struct TimeToReport {
  std::vector<std::string> command;
  double accuracy = 0;
  Model model;
  TrainSettings settings;  // but for the seed
  EngineDescription device;
  Data data;  // without the images
  std::vector<TimedRun> runs;
};

// Seconds of all runs, those that missed too: these lasted to the end of their epochs.
struct TimeToSummary {
  double mean = 0;
  double median = 0;
  // The mean without the fastest and the slowest, as MLPerf scores runs; of three or more.
  std::optional<double> olympic_mean;
  double mean_training = 0;  // of the steps alone
  int misses = 0;
  Statistics accuracy;  // of the newest evaluations, fractions
};

// Trains until an evaluation of the held-out set reaches `accuracy`, or else to the end of the
// settings' epochs or steps, or until a loss that is not finite. The engine holds its data, of
// which train_count images to train on, and its initial parameters. Sets all of the run but its
// seed and the seconds before training.
TimedRun train_to(Engine& engine, const TrainSettings& settings, int train_count, double accuracy);

// One run after another in this process, each from its files to its last evaluation, with a line in
// the log. What needs no data is done before: a device's driver has started, and the files have
// been read once, so that the first run finds what the others find. Nothing is saved. Throws
// InputError for what makes no sense, before the first run.
TimeToReport run_time_to(const TimeToRequest& request);

// Of one run or more.
TimeToSummary summary_of(std::span<const TimedRun> runs);

// The summary as two lines for a terminal.
std::string time_to_text(const TimeToReport& report);

// Everything, by the schema "digitron-time-to/1".
nlohmann::ordered_json time_to_json(const TimeToReport& report);

}  // namespace digitron
