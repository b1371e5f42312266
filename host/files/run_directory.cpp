#include "host/files/run_directory.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <utility>

#include "host/core/error.h"
#include "host/files/atomic_file.h"
#include "host/files/file_error.h"
#include "host/files/json.h"
#include "host/text/text.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kFiles[] = {"run.json", "metrics.jsonl", "train.log", "model.safetensors",
                                  "resume.safetensors"};

// Paths and arguments may hold bytes that are not UTF-8, which JSON cannot: they become U+FFFD.
std::string dump(const ordered_json& json, int indent = -1) {
  return json.dump(indent, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

void create_run_directory(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path, error)) {
    throw_file_error("cannot create the output directory " + path.string(),
                     error ? error.value() : ENOTDIR, "give one that can be written, with --out");
  }
  for (const char* name : kFiles) {
    if (!fs::is_directory(path / name, error)) continue;
    throw InputError((path / name).string() +
                     " is a directory; move it away, or give another --out");
  }
}

// The directory's lock, once it has been created.
RunLock locked(const fs::path& path) {
  create_run_directory(path);
  return RunLock(path);
}

// Whether the first `bytes` of the file are whole lines.
bool ends_a_line(const fs::path& path, std::uintmax_t bytes) {
  if (bytes == 0) return true;
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char last = 0;
  if (file.get() < 0 || ::pread(file.get(), &last, 1, static_cast<off_t>(bytes - 1)) < 0) {
    throw_file_error("cannot read " + path.string(), errno, "make it readable");
  }
  return last == '\n';
}

// What an older run has written besides run.json: out of sight while a new run begins, gone once it
// has, and back when it cannot.
class OlderRun {
 public:
  explicit OlderRun(fs::path directory) : directory_(std::move(directory)) { move("", kAside); }
  ~OlderRun() { move(kAside, ""); }
  OlderRun(const OlderRun&) = delete;
  OlderRun& operator=(const OlderRun&) = delete;

  void remove() {
    std::error_code ignored;
    for (const char* name : kFiles) fs::remove(directory_ / (std::string(name) + kAside), ignored);
  }

 private:
  static constexpr const char* kAside = ".older";

  void move(const std::string& from, const std::string& to) {
    std::error_code ignored;
    for (const std::string name : kFiles) {
      if (name != "run.json")
        fs::rename(directory_ / (name + from), directory_ / (name + to), ignored);
    }
  }

  fs::path directory_;
};

}  // namespace

fs::path default_run_directory(const Model& model) {
  constexpr size_t kMostCharacters = 60;
  return fs::path("runs") / slug(model.id, kMostCharacters);
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
  if (result.test) event["evaluation_seconds"] = result.evaluation_seconds;
  event["lr"] = result.lr;
  event["time"] = result.time;
  if (!result.test) event["interrupted"] = true;
  return dump(event);
}

std::string final_event(int epoch, const Metrics& test) {
  return dump({{"event", "final"},
               {"epoch", epoch},
               {"test_loss", test.loss()},
               {"test_accuracy", test.accuracy()}});
}

fs::path state_path(const fs::path& directory) {
  return directory / "resume.safetensors";
}

bool holds_run(const fs::path& directory) {
  std::error_code ignored;
  return std::any_of(std::begin(kFiles), std::end(kFiles), [&](const char* name) {
    return fs::exists(fs::symlink_status(directory / name, ignored));
  });
}

void require_no_run(const fs::path& directory) {
  if (!holds_run(directory)) return;
  throw InputError(directory.string() +
                   " holds a run; go on with it (--resume), give another --out, or give it up "
                   "(--overwrite)");
}

std::string new_run_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += fmt::format("{:08x}", random());
  return id;
}

RunDirectory::RunDirectory(const fs::path& path, RunLock lock, const ordered_json& run)
    : path_(path),
      lock_(std::move(lock)),
      id_(run.is_object() ? run.value("id", "") : ""),
      metrics_path_(path / "metrics.jsonl") {
  for (const char* name : kFiles) remove_leftovers(path / name);
}

RunDirectory::RunDirectory(const fs::path& path, const ordered_json& run, IfThere if_there)
    : RunDirectory(path, locked(path), run) {
  if (if_there == IfThere::kRefuse) require_no_run(path);
  begin(run);
}

RunDirectory RunDirectory::start_beside(const fs::path& path, const ordered_json& run) {
  for (int number = 1;; ++number) {
    const std::string suffix = number == 1 ? "" : "-" + std::to_string(number);
    const fs::path next = path.string() + suffix;
    if (holds_run(next)) continue;
    create_run_directory(next);
    std::optional<RunLock> lock = RunLock::try_take(next);
    if (!lock || holds_run(next)) continue;  // another run was faster
    RunDirectory directory(next, std::move(*lock), run);
    directory.begin(run);
    return directory;
  }
}

void RunDirectory::begin(const ordered_json& run) {
  OlderRun older(path_);
  write_file_atomically(metrics_path_, "");
  open_metrics();
  write_file_atomically(path_ / "run.json", dump(run, 2));  // last: from here on it is the new run
  older.remove();
}

RunDirectory RunDirectory::resume(const fs::path& path, RunLock lock, const ordered_json& run,
                                  std::uintmax_t metrics_bytes) {
  RunDirectory directory(path, std::move(lock), run);
  const std::string metrics = directory.metrics_path_.string();
  std::error_code error;
  if (fs::is_symlink(directory.metrics_path_, error)) {
    throw InputError(metrics +
                     " is a link, and what it leads to is not cut; put the file itself "
                     "there, or start a new run");
  }
  const std::uintmax_t there = fs::file_size(directory.metrics_path_, error);
  if (error || there < metrics_bytes) {
    throw InputError(metrics +
                     " lacks events that the run has written; restore the file, or "
                     "start a new run");
  }
  if (!ends_a_line(directory.metrics_path_, metrics_bytes)) {
    throw InputError(metrics + " has no end of an event after " + std::to_string(metrics_bytes) +
                     " bytes, where the run stands; restore the file, or start a new run");
  }
  fs::resize_file(directory.metrics_path_, metrics_bytes, error);
  if (error) throw_file_error("cannot write " + metrics, error.value(), "make it writable");
  write_file_atomically(path / "run.json", dump(run, 2));
  directory.metrics_bytes_ = metrics_bytes;
  directory.open_metrics();
  return directory;
}

void RunDirectory::open_metrics() {
  metrics_ =
      FileDescriptor(::open(metrics_path_.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
  if (metrics_.get() >= 0) return;
  throw_file_error("cannot open " + metrics_path_.string(), errno, "make it writable");
}

void RunDirectory::append(std::string_view lines) {
  struct stat open {
  }, named{};
  if (::fstat(metrics_.get(), &open) != 0 || ::stat(metrics_path_.c_str(), &named) != 0 ||
      open.st_ino != named.st_ino || open.st_dev != named.st_dev) {
    throw MachineError(metrics_path_.string() +
                       " was removed or replaced while the run was going on; start a new run");
  }
  if (write_all(metrics_.get(), lines)) {
    metrics_bytes_ += lines.size();
    return;
  }
  const int error = errno;
  std::error_code ignored;
  fs::resize_file(metrics_path_, metrics_bytes_, ignored);  // drops half a line
  throw_file_error("cannot write " + metrics_path_.string(), error, "make it writable");
}

void RunDirectory::save_state(std::string_view bytes) const {
  sync_metrics();
  write_file_atomically(state_path(path_), bytes);
}

void RunDirectory::sync() const {
  sync_metrics();
  sync_directory(path_);
}

void RunDirectory::sync_metrics() const {
  if (::fsync(metrics_.get()) == 0) return;
  throw_file_error("cannot write " + metrics_path_.string(), errno, "make it writable");
}

void RunDirectory::save(const Plan& plan, const ModelState& state, const Metadata& metadata) {
  write_file_atomically(checkpoint_path(), safetensors_bytes(plan, state, metadata),
                        Sync::kContents);
}

}  // namespace digitron
