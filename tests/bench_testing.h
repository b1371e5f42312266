// A bench that was measured on paper.
#pragma once

#include <string>
#include <vector>

#include "host/bench/bench_json.h"
#include "host/text/statistics.h"

namespace digitron::testing {

// Samples of so many microseconds.
inline Repeat repeat_of(const std::vector<double>& microseconds) {
  Repeat repeat;
  for (const double each : microseconds) repeat.samples.seconds.push_back(1e-6 * each);
  repeat.samples.host_seconds = {median_of(repeat.samples.seconds) + 1e-6};
  repeat.samples.cpu_seconds = 2 * repeat.samples.seconds.front();
  repeat.samples.warmup = 7;
  repeat.samples.stopped = "noise";
  repeat.cold_start = {0.01, 0.2, 0.03, 0.004, std::nullopt};
  return repeat;
}

// LeNet-5 on the CPU, with two repeats.
inline BenchRow cpu_row() {
  BenchRow row;
  row.model = "lenet5";
  row.name = "LeNet-5";
  row.text = "conv 6x5 pad 2, relu";
  row.images = 64;
  row.device = "CPU, AVX-512, 2 threads";
  row.precision = "fp32";
  row.threads = 2;
  row.flops = 150'000'000;
  row.repeats = {repeat_of({1200, 1100, 1300}), repeat_of({1000, 1050, 1100})};
  return row;
}

// The same on a GPU, a graph of steps.
inline BenchRow gpu_row() {
  BenchRow row = cpu_row();
  row.device = "CUDA, a GPU, graphs of 32 steps";
  row.threads.reset();
  row.mode = "graph";
  row.step = "fused";
  row.steps_per_sample = 32;
  row.details["algorithms"]["conv1 forward"] = "GEMM";
  row.settings["optimizer"] = "adam";
  for (Repeat& repeat : row.repeats) {
    repeat.samples.device_clock = true;
    repeat.cold_start.recording = 0.005;
  }
  return row;
}

inline BenchReport report_of(std::vector<BenchRow> rows) {
  return {{"digitron", "bench"}, "2026-01-31T12:00:00Z", std::move(rows)};
}

}  // namespace digitron::testing
