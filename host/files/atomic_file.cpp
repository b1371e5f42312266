#include "host/files/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>

#include "host/core/file_descriptor.h"
#include "host/files/file_error.h"

namespace digitron {

namespace {

[[noreturn]] void throw_write_error(const std::filesystem::path& path, int error) {
  throw_file_error("cannot write " + path.string(), error,
                   "choose a directory that exists and that you may write to");
}

constexpr const char* kTemporary = ".tmp";

// Not where another process has the lock, or the file system has none.
bool is_locked_now(int fd) {
  return ::flock(fd, LOCK_EX | LOCK_NB) == 0;
}

// A new file beside `path`, and its name; locked, so that remove_leftovers leaves it alone. What is
// there already under that name, a killed process' or somebody's link to another file, stays too.
FileDescriptor open_temporary(const std::filesystem::path& path, std::filesystem::path& name) {
  int fd = -1;
  do {
    name = temporary_name(path);
    fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EEXIST);
  if (fd >= 0) is_locked_now(fd);
  return FileDescriptor(fd);
}

// Whether `name` is what temporary_name makes of `path`'s.
bool is_temporary_of(const std::string& path, const std::string& name) {
  constexpr std::string_view kEnd = kTemporary;
  if (!name.starts_with(path + ".") || !name.ends_with(kEnd)) return false;
  const std::string_view middle(name.begin() + static_cast<std::ptrdiff_t>(path.size()),
                                name.end() - static_cast<std::ptrdiff_t>(kEnd.size()));
  return !middle.empty() && middle.find_first_not_of(".0123456789") == std::string_view::npos;
}

std::filesystem::path directory_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

bool is_older(const std::filesystem::path& path, std::chrono::seconds age) {
  std::error_code error;
  const auto changed = std::filesystem::last_write_time(path, error);
  return !error && std::filesystem::file_time_type::clock::now() - changed >= age;
}

}  // namespace

std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  return path.string() + "." + std::to_string(::getpid()) + "." + std::to_string(counter++) +
         kTemporary;
}

void sync_directory(const std::filesystem::path& path) {
  const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
}

bool write_all(int fd, std::string_view bytes) {
  constexpr size_t kMostBytes = size_t{1} << 30;  // a write(2) takes under 2^31 on Linux
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), std::min(bytes.size(), kMostBytes));
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes, Sync sync) {
  remove_leftovers(path);
  std::filesystem::path temporary;
  FileDescriptor file = open_temporary(path, temporary);
  if (file.get() < 0) throw_write_error(path, errno);

  const bool done = write_all(file.get(), bytes) &&
                    (sync == Sync::kNo || ::fsync(file.get()) == 0) && file.close() &&
                    ::rename(temporary.c_str(), path.c_str()) == 0;
  if (!done) {
    const int error = errno;
    ::unlink(temporary.c_str());
    throw_write_error(path, error);
  }
  if (sync == Sync::kYes) sync_directory(directory_of(path));
}

void remove_leftovers(const std::filesystem::path& path, std::chrono::seconds age) {
  const std::string name = path.filename().string();
  std::error_code error, ignored;
  for (std::filesystem::directory_iterator i(directory_of(path), error), end; !error && i != end;
       i.increment(error)) {
    if (!is_temporary_of(name, i->path().filename().string())) continue;
    if (i->is_directory(ignored) && !i->is_symlink(ignored)) {
      if (age.count() > 0 && is_older(i->path(), age)) {
        std::filesystem::remove_all(i->path(), ignored);
      }
      continue;
    }
    constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;  // a pipe never waits
    const FileDescriptor file(::open(i->path().c_str(), kFlags));
    if (file.get() >= 0 && is_locked_now(file.get())) ::unlink(i->path().c_str());
  }
}

}  // namespace digitron
