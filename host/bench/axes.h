// What one call of the bench is asked for, and the rows that this makes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/bench/bench.h"

namespace digitron {

struct BenchRequest {
  std::vector<std::string> command = {};  // argv
  // The axes. A row is measured for every choice of one from each.
  std::vector<std::string> models{"lenet5"};
  std::vector<std::string> works{"train"};
  std::vector<int> batches{64};
  std::vector<int> threads{kAutoThreads};   // of the CPU engine
  std::vector<std::string> modes{"graph"};  // of a GPU: graph, eager
  std::vector<std::string> steps{"auto"};   // of a GPU: as --step has them
  DeviceRequest device = {};                // but for what is an axis
  std::optional<double> dropout = {};       // as of train
  nlohmann::ordered_json settings = nlohmann::ordered_json::object();  // likewise
  std::string data = "synthetic";
  SamplerSettings sampling = {};
  std::string capture = {};  // training steps "A:B" that profilers are to capture
  bool breakdown = false;    // where the time of each row's training step goes
  bool roofline = false;     // how near it comes to the device's ceilings
  int repeat = 5;            // fresh processes for each row; 1: this one measures all rows
};

// The rows in the order of the axes, the first one slowest. An evaluation does not depend on the
// batch and has one row for all; on a CPU there are no modes and steps, on a GPU no threads.
// Throws InputError for a word, number or model that makes no sense, and for one that is named
// twice.
std::vector<RowRequest> rows_of(const BenchRequest& request);

}  // namespace digitron
