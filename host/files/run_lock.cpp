#include "host/files/run_lock.h"

#include <fcntl.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include "host/core/error.h"
#include "host/files/environment.h"
#include "host/files/file_error.h"
#include "host/text/text.h"

namespace digitron {

namespace {

constexpr int kTries = 20;
constexpr std::chrono::milliseconds kBetweenTries{50};
constexpr size_t kMostHolder = 200;

std::filesystem::path lock_path(const std::filesystem::path& directory) {
  return directory / ".lock";
}

FileDescriptor open_lock(const std::filesystem::path& path) {
  FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (file.get() >= 0) return file;
  throw_file_error("cannot write " + path.string(), errno,
                   "choose a directory that you may write to");
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "an unnamed host";
}

// Who holds the lock, as it says itself; a file of another kind may say anything.
std::string holder(const std::filesystem::path& path) {
  std::array<char, kMostHolder> text{};
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  const ssize_t count = file.get() < 0 ? 0 : ::read(file.get(), text.data(), text.size());
  const std::string line(text.data(), count > 0 ? static_cast<size_t>(count) : 0);
  return line.empty() ? "another process" : one_line(line.substr(0, line.find('\n')));
}

void sign(const FileDescriptor& file) {
  const std::string line =
      fmt::format("process {} on {}, since {}\n", ::getpid(), host_name(), utc_now());
  // It only serves another run's message.
  if (::ftruncate(file.get(), 0) == 0 && ::pwrite(file.get(), line.data(), line.size(), 0) < 0) {
    spdlog::debug("the lock is not signed: {}", std::strerror(errno));
  }
}

// The file that was locked may have been removed meanwhile, by who had the lock before.
bool is_there_still(const std::filesystem::path& path, const FileDescriptor& file) {
  struct stat open {
  }, named{};
  return ::fstat(file.get(), &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

// The locked file; nothing when another process has it. A file system without locks gives nobody
// one.
std::optional<FileDescriptor> take(const std::filesystem::path& path) {
  while (true) {
    FileDescriptor file = open_lock(path);
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return std::nullopt;
      spdlog::warn("Warning: {} cannot be locked ({}): do not run twice into its directory",
                   path.string(), std::strerror(errno));
    } else if (!is_there_still(path, file)) {
      continue;
    }
    sign(file);
    return file;
  }
}

FileDescriptor take_or_wait(const std::filesystem::path& directory) {
  const std::filesystem::path path = lock_path(directory);
  for (int i = 1;; ++i) {
    if (auto file = take(path)) return *std::move(file);
    if (i == kTries) {
      throw InputError(directory.string() + " is in use by " + holder(path) +
                       "; wait for it to end, or give another --out");
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
}

}  // namespace

RunLock::RunLock(const std::filesystem::path& directory)
    : RunLock(lock_path(directory), take_or_wait(directory)) {}

RunLock::~RunLock() {
  if (file_.get() >= 0) ::unlink(path_.c_str());
}

std::optional<RunLock> RunLock::try_take(const std::filesystem::path& directory) {
  auto file = take(lock_path(directory));
  if (!file) return std::nullopt;
  return RunLock(lock_path(directory), *std::move(file));
}

}  // namespace digitron
