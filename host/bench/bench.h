// What a training step costs, measured in many short runs of steps.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/core/engine.h"

namespace digitron {

struct BenchSettings {
  int steps = 200;   // a sample is the mean of so many, or of an epoch's whole batches if fewer
  int samples = 30;  // timed
  int warmup = 5;    // samples before them, not timed
};

// Throws InputError for a number that is too small, naming its option.
void check_settings(const BenchSettings& settings);

struct BenchResult {
  bool device_clock;                 // the device's own clock; otherwise the host's, around a call
  int steps;                         // in each sample
  std::vector<double> step_seconds;  // one a sample, in the order they were taken

  // The p-th percentile (0 to 100), linear between neighbours.
  double percentile(double p) const;
};

// Trains; the engine holds a training set of train_count images and initial parameters.
BenchResult bench(Engine& engine, int train_count, const BenchSettings& settings);

nlohmann::ordered_json bench_json(const BenchResult& result, const Engine& engine);

// "LeNet-5 | batch 64 | CPU, AVX-512, 2 threads | 574.1 us a step (p10 …, p90 …), 111,479 images/s"
std::string bench_line(const BenchResult& result, const Engine& engine);

}  // namespace digitron
