#include "host/files/run_directory.h"

#include <cerrno>
#include <cstring>

#include "host/core/error.h"
#include "host/files/atomic_file.h"
#include "host/files/json.h"
#include "host/text/text.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// Paths and arguments may hold bytes that are not UTF-8, which JSON cannot: they become U+FFFD.
std::string dump(const ordered_json& json, int indent = -1) {
  return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace

std::filesystem::path default_run_directory(const Model& model) {
  constexpr size_t kMostCharacters = 60;
  return std::filesystem::path("runs") / slug(model.id, kMostCharacters);
}

std::string step_event(int epoch, int64_t step, double loss) {
  return dump({{"event", "step"}, {"epoch", epoch}, {"step", step}, {"loss", loss}});
}

std::string epoch_event(const EpochResult& result) {
  ordered_json event{{"event", "epoch"},
                     {"epoch", result.epoch},
                     {"train_loss", result.train.loss()},
                     {"train_accuracy", result.train.accuracy()}};
  if (result.test) {
    event[result.validation ? "validation_loss" : "test_loss"] = result.test->loss();
    event[result.validation ? "validation_accuracy" : "test_accuracy"] = result.test->accuracy();
  }
  event["seconds"] = result.seconds;
  event["images_per_second"] = result.images_per_second();
  if (!result.test) event["interrupted"] = true;
  return dump(event);
}

std::string final_event(int epoch, const Metrics& test) {
  return dump({{"event", "final"},
               {"epoch", epoch},
               {"test_loss", test.loss()},
               {"test_accuracy", test.accuracy()}});
}

std::filesystem::path state_path(const std::filesystem::path& directory) {
  return directory / "resume.safetensors";
}

RunDirectory::RunDirectory(const std::filesystem::path& path)
    : path_(path), metrics_path_(path / "metrics.jsonl") {}

RunDirectory::RunDirectory(const std::filesystem::path& path, const ordered_json& run)
    : RunDirectory(path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!std::filesystem::is_directory(path, error)) {
    throw InputError("cannot create the output directory " + path.string() +
                     "; give one that can be written, with --out");
  }
  for (const std::filesystem::path& file :
       {path / "run.json", metrics_path_, log_path(), checkpoint_path(), state_path(path)}) {
    if (std::filesystem::is_directory(file, error)) {
      throw InputError(file.string() + " is a directory; move it away, or give another --out");
    }
  }
  std::filesystem::remove(state_path(path), error);  // an older run's, which this run.json replaces
  write_file_atomically(path / "run.json", dump(run, 2));
  write_file_atomically(metrics_path_, "");
  open_metrics();
}

RunDirectory RunDirectory::resume(const std::filesystem::path& path, const ordered_json& run,
                                  std::uintmax_t metrics_bytes) {
  RunDirectory directory(path);
  std::error_code error;
  const std::uintmax_t there = std::filesystem::file_size(directory.metrics_path_, error);
  if (error || there < metrics_bytes) {
    throw InputError(directory.metrics_path_.string() + " lacks events that the run has written; " +
                     "restore the file, or start a new run");
  }
  std::filesystem::resize_file(directory.metrics_path_, metrics_bytes, error);
  if (error) {
    throw InputError("cannot write " + directory.metrics_path_.string() + ": " + error.message() +
                     "; make it writable");
  }
  write_file_atomically(path / "run.json", dump(run, 2));
  directory.metrics_bytes_ = metrics_bytes;
  directory.open_metrics();
  return directory;
}

void RunDirectory::open_metrics() {
  metrics_.open(metrics_path_, std::ios::binary | std::ios::app);
  if (!metrics_) throw MachineError("cannot open " + metrics_path_.string() + "; run again");
}

void RunDirectory::append(std::string_view lines) {
  errno = 0;
  metrics_ << lines << std::flush;
  if (metrics_) {
    metrics_bytes_ += lines.size();
    return;
  }
  const std::string reason = errno != 0 ? std::strerror(errno) : "write failed";
  std::error_code error;
  std::filesystem::resize_file(metrics_path_, metrics_bytes_, error);  // drops half a line
  throw MachineError("cannot write " + metrics_path_.string() + " (" + reason +
                     "); free some space and run again");
}

void RunDirectory::save_state(std::string_view bytes) {
  write_file_atomically(state_path(path_), bytes);
}

void RunDirectory::save(const Plan& plan, const ModelState& state, const Metadata& metadata) {
  write_file_atomically(checkpoint_path(), safetensors_bytes(plan, state, metadata));
}

}  // namespace digitron
