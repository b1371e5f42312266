// What a run leaves behind: run.json (what was run, where and with what), metrics.jsonl (one event
// a line) and model.safetensors (the newest checkpoint).
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/core/engine.h"
#include "host/files/model_state.h"

namespace digitron {

// "runs/lenet5" for the model's id: what stands in for --out.
std::filesystem::path default_run_directory(const Model& model);

// One line of metrics.jsonl each, newline included.
std::string step_event(int epoch, int64_t step, double loss);
struct EpochResult {
  int epoch;
  Metrics train;
  std::optional<Metrics> test;  // nothing when the epoch was interrupted
  double seconds;               // of the training pass alone
  bool validation = false;      // `test` is of the validation set
  double images_per_second() const { return static_cast<double>(train.count) / seconds; }
};
std::string epoch_event(const EpochResult& result);
// The test set, read once at the end of a run with a validation set; `epoch`: whose parameters.
std::string final_event(int epoch, const Metrics& test);

// Of the run directory: what --resume reads.
std::filesystem::path state_path(const std::filesystem::path& directory);

class RunDirectory {
 public:
  // Starts a run: creates the directory where it is missing, writes run.json and replaces
  // metrics.jsonl with an empty file, each atomically; a checkpoint stays until the run writes its
  // own, but not the state of an unfinished run. Throws InputError when the directory cannot be
  // created or written, MachineError when the disk is full.
  RunDirectory(const std::filesystem::path& path, const nlohmann::ordered_json& run);

  // Continues the run in `path`: writes run.json, and metrics.jsonl loses what comes behind its
  // first `metrics_bytes`. Throws InputError when it has not that many.
  static RunDirectory resume(const std::filesystem::path& path, const nlohmann::ordered_json& run,
                             std::uintmax_t metrics_bytes);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoint_path() const { return path_ / "model.safetensors"; }

  // Appends whole lines to metrics.jsonl and flushes; when that fails, no part of them stays.
  // Throws MachineError.
  void append(std::string_view lines);

  // Of metrics.jsonl so far.
  std::uintmax_t metrics_bytes() const { return metrics_bytes_; }

  // Replaces resume.safetensors atomically. Throws as save does.
  void save_state(std::string_view bytes);

  // Replaces model.safetensors atomically. Throws MachineError or InputError, the old file stays.
  void save(const Plan& plan, const ModelState& state, const Metadata& metadata);

 private:
  explicit RunDirectory(const std::filesystem::path& path);
  void open_metrics();

  std::filesystem::path path_;
  std::filesystem::path metrics_path_;
  std::ofstream metrics_;
  std::uintmax_t metrics_bytes_ = 0;
};

}  // namespace digitron
