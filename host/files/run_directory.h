// The files that a run writes: run.json (what was run, where and with what), metrics.jsonl (one
// event a line), train.log (what the terminal showed), model.safetensors (the newest checkpoint)
// and resume.safetensors (for --resume).
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/core/engine.h"
#include "host/core/file_descriptor.h"
#include "host/files/model_state.h"
#include "host/files/run_lock.h"

namespace digitron {

// "runs/lenet5" for the model lenet5: the directory of its first run without --out.
std::filesystem::path default_run_directory(const Model& model);

// Whether a run has written one of its files there.
bool holds_run(const std::filesystem::path& directory);

// Throws InputError, with the three ways on, when the directory holds a run.
void require_no_run(const std::filesystem::path& directory);

// 32 hexadecimal digits that no other run has: run.json, the checkpoint and the state carry them,
// so that files of two runs in one directory are told apart.
std::string new_run_id();

// A line of metrics.jsonl each, with its newline.
std::string step_event(int epoch, int64_t step, double loss);
struct EpochResult {
  int epoch;
  Metrics train;
  std::optional<Metrics> test;  // nothing when the epoch was interrupted
  double seconds;               // that the training took, without evaluation
  bool validation = false;      // whether `test` was measured on the validation set
  double evaluation_seconds = 0;
  double lr = 0;          // of the epoch's last step
  std::string time = {};  // of the event, as utc_now gives it
  double images_per_second() const { return static_cast<double>(train.count) / seconds; }
};
std::string epoch_event(const EpochResult& result);
// The test at the end of a run with a validation set, with the parameters of `epoch`.
std::string final_event(int epoch, const Metrics& test);

// resume.safetensors in a run directory.
std::filesystem::path state_path(const std::filesystem::path& directory);

// Holds the directory's lock as long as it lives.
class RunDirectory {
 public:
  enum class IfThere { kRefuse, kOverwrite };

  // Starts a run: creates the directory where it is missing, locks it, and writes run.json and an
  // empty metrics.jsonl, each atomically. An older run there is refused, or all its files are gone
  // once the new one has begun. Throws InputError when the directory cannot be created or written,
  // or is in use, MachineError when the disk is full; an older run is then as it was.
  RunDirectory(const std::filesystem::path& path, const nlohmann::ordered_json& run,
               IfThere if_there = IfThere::kRefuse);

  // Starts a run in the first of PATH, PATH-2, PATH-3, ... that holds none and is not in use.
  static RunDirectory start_beside(const std::filesystem::path& path,
                                   const nlohmann::ordered_json& run);

  // Continues the run in `path`, of which the caller has the lock: writes run.json, and cuts
  // metrics.jsonl to its first `metrics_bytes`. Throws InputError when it is shorter, or a link.
  static RunDirectory resume(const std::filesystem::path& path, RunLock lock,
                             const nlohmann::ordered_json& run, std::uintmax_t metrics_bytes);

  const std::filesystem::path& path() const { return path_; }
  const std::string& id() const { return id_; }  // run.json's
  std::filesystem::path checkpoint_path() const { return path_ / "model.safetensors"; }
  std::filesystem::path log_path() const { return path_ / "train.log"; }  // RunLog writes it

  // Appends whole lines to metrics.jsonl; when that fails, no part of them stays. Throws
  // MachineError, also when the file was removed or replaced meanwhile.
  void append(std::string_view lines);

  // How long metrics.jsonl is.
  std::uintmax_t metrics_bytes() const { return metrics_bytes_; }

  // Replaces resume.safetensors atomically; the lines of metrics.jsonl that it counts on, and the
  // checkpoint, are on the disk before. Throws as save does. Another thread may call it.
  void save_state(std::string_view bytes) const;

  // All that was written stays so after a power cut. Throws as save does.
  void sync() const;

  // Replaces model.safetensors atomically. Throws MachineError or InputError, the old file stays.
  void save(const Plan& plan, const ModelState& state, const Metadata& metadata);

 private:
  RunDirectory(const std::filesystem::path& path, RunLock lock, const nlohmann::ordered_json& run);
  void begin(const nlohmann::ordered_json& run);
  void open_metrics();
  void sync_metrics() const;

  std::filesystem::path path_;
  RunLock lock_;
  std::string id_;
  std::filesystem::path metrics_path_;
  FileDescriptor metrics_;
  std::uintmax_t metrics_bytes_ = 0;
};

}  // namespace digitron
