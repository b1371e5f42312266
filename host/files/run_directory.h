// The files that a run writes: run.json (what was run, where and with what), metrics.jsonl (one
// event a line), train.log (what the terminal showed), model.safetensors (the newest checkpoint)
// and resume.safetensors (for --resume).
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

// "runs/lenet5" for the model lenet5: the directory of a run without --out.
std::filesystem::path default_run_directory(const Model& model);

// A line of metrics.jsonl each, with its newline.
std::string step_event(int epoch, int64_t step, double loss);
struct EpochResult {
  int epoch;
  Metrics train;
  std::optional<Metrics> test;  // nothing when the epoch was interrupted
  double seconds;               // that the training took, without evaluation
  bool validation = false;      // whether `test` was measured on the validation set
  double images_per_second() const { return static_cast<double>(train.count) / seconds; }
};
std::string epoch_event(const EpochResult& result);
// The test at the end of a run with a validation set, with the parameters of `epoch`.
std::string final_event(int epoch, const Metrics& test);

// resume.safetensors in a run directory.
std::filesystem::path state_path(const std::filesystem::path& directory);

class RunDirectory {
 public:
  // Starts a run: creates the directory where it is missing, writes run.json and replaces
  // metrics.jsonl with an empty file, each atomically. An older run's checkpoint stays until this
  // run writes its own; its resume.safetensors is removed. Throws InputError when the directory
  // cannot be created or written, MachineError when the disk is full.
  RunDirectory(const std::filesystem::path& path, const nlohmann::ordered_json& run);

  // Continues the run in `path`: writes run.json, and cuts metrics.jsonl to its first
  // `metrics_bytes`. Throws InputError when it is shorter.
  static RunDirectory resume(const std::filesystem::path& path, const nlohmann::ordered_json& run,
                             std::uintmax_t metrics_bytes);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoint_path() const { return path_ / "model.safetensors"; }
  std::filesystem::path log_path() const { return path_ / "train.log"; }  // RunLog writes it

  // Appends whole lines to metrics.jsonl and flushes; when that fails, no part of them stays.
  // Throws MachineError.
  void append(std::string_view lines);

  // How long metrics.jsonl is.
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
