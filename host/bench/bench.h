// Figures of steps: what is asked for, what is measured, and what it comes to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/bench/breakdown.h"
#include "host/bench/roofline.h"
#include "host/bench/sampler.h"
#include "host/bench/work.h"
#include "host/devices/devices.h"
#include "host/files/json.h"
#include "host/train/settings.h"

namespace digitron {

// A row of the table, before it is measured.
struct RowRequest {
  Model model;
  TrainSettings settings;
  Work work = Work::kTrain;
  DeviceRequest device;
  std::optional<StepRange> capture = {};  // training steps that profilers are to capture
  bool breakdown = false;                 // of a training step
  bool roofline = false;                  // likewise
};

// Seconds from the start of the process to its first step. Not what it does not have.
struct ColdStart {
  std::optional<double> process;  // to the program's first line; of a process started for this row
  double data = 0;                // to read it, and to put it on the device
  double module = 0;              // to make the engine, as far as not done while the data was read
  double first_step = 0;          // the first call: one step, evaluation or prediction
  std::optional<double> recording;  // of a graph of steps: the second call, above a later one
};

// One measurement of a row, in one process.
// NOLINTNEXTLINE(bugprone-exception-escape): nlohmann's move constructor, which throws nothing
struct Repeat {
  Samples samples;
  ColdStart cold_start;
  std::optional<int> threads = {};  // where they are kAutoThreads: that made the last steps
  nlohmann::ordered_json quiet;  // whether the machine was, with its "warnings"; null: not watched

  // Why the figures should not be believed.
  std::vector<std::string> warnings() const;
};

// A row that was measured.
struct BenchRow {
  std::string model;  // its id
  std::string name;   // for people
  std::string text;   // the canonical one
  Work work = Work::kTrain;
  int images = 0;  // of a sample's step: the batch; the held-out set for an evaluation
  std::string device;
  std::string precision;
  std::optional<int> threads;       // of an engine on the CPU: a number, or kAutoThreads
  std::optional<std::string> mode;  // of one on a GPU: "graph" or "eager"
  std::optional<std::string> step;  // likewise: "layers" or "fused", as it was chosen
  int steps_per_sample = 1;
  nlohmann::ordered_json details = nlohmann::ordered_json::object();
  nlohmann::ordered_json settings =
      nlohmann::ordered_json::object();  // those that change a step and differ from the defaults
  int64_t flops = 0;                     // of a step, by the plan
  std::optional<Breakdown> breakdown;    // of the first repeat, where it was asked for
  std::optional<Roofline> roofline;      // likewise
  std::vector<Repeat> repeats;
};

// "2"; "auto: 2" or "auto: 1 to 2", by what the repeats came to; empty for an engine that has none.
std::string threads_text(const BenchRow& row);

// Measures a row once. started: when the process was, by steady_seconds, where that is known.
// turns: with another process, whose time would then be that of a machine that is not quiet, so
// that this is not watched.
BenchRow measure_row(const RowRequest& request, const std::string& data,
                     const SamplerSettings& sampling, std::optional<double> started,
                     const std::optional<Turns>& turns = {});

// Seconds of a step. Percentiles are the medians of the repeats' own, so that each counts the same.
struct Summary {
  double p10 = 0, p50 = 0, p90 = 0, p99 = 0;
  double max = 0;    // of all
  double noise = 0;  // the largest of the repeats'; a fraction
  std::optional<double>
      between;      // relative standard deviation of their medians; of one there is none
  double host = 0;  // by the host's clock, the median as above
  double images_per_second = 0;  // by p50
  double gflops_per_second = 0;
};

Summary summarize(const BenchRow& row);

}  // namespace digitron
