// Everything a run needs to go on as if it had never stopped, in one file: the parameters and the
// optimiser's buffers, where the run stands, and what it has found so far.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/core/engine.h"
#include "host/files/model_state.h"

namespace digitron {

// The best epoch so far by the validation loss, of a run with --patience.
struct BestEpoch {
  int epoch = 0;
  double loss = 0;
  ModelState state;  // with which the loss was measured
};

// Where a run stands: its next step is step `step` (from 0) of epoch `epoch` (from 1).
struct RunState {
  int epoch = 1;
  int step = 0;
  Metrics train;       // over the epoch's steps so far
  double seconds = 0;  // that they took
  std::optional<BestEpoch> best;
  std::uintmax_t metrics_bytes = 0;  // how long metrics.jsonl was when the state was saved
  // num_batches_tracked of the file that the run began with (--init); its own steps come on top.
  int64_t batches_before = 0;
  std::string run;  // the id of the run that saved it; empty in files of older versions
};

// The file's bytes: the state and the engine's buffers.
std::string run_state_bytes(const RunState& state, const Engine& engine);

// Reads the file, and puts its buffers into the engine, which must have been configured. Throws
// InputError when there is none, it is damaged, or it is of another model or optimiser.
RunState load_run_state(const std::filesystem::path& path, Engine& engine);

}  // namespace digitron
