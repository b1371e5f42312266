#include "host/files/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "host/core/error.h"

namespace digitron {

namespace {

// One write(2) takes at most 2^31 - 4096 bytes on Linux.
constexpr size_t kMaxWriteBytes = size_t{1} << 30;

[[noreturn]] void throw_write_error(const std::filesystem::path& path, int error) {
  const std::string message = "cannot write " + path.string() + ": " + std::strerror(error);
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      throw MachineError(message + " (disk full or size limit); free some space, then run again");
    case EIO:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      throw MachineError(message + "; check the machine, then run again");
    default:
      throw InputError(message + "; choose a directory that exists and that you may write to");
  }
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { close(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }

  // Network file systems report a full disk only here.
  bool close() { return fd_ < 0 || ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), std::min(bytes.size(), kMaxWriteBytes));
    if (written < 0 && errno != EINTR) return false;
    if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

// Unique in this process and among processes; no reader takes it for a finished file.
std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  return path.string() + "." + std::to_string(::getpid()) + "." + std::to_string(counter++) +
         ".tmp";
}

// Makes the rename itself durable. Some file systems cannot sync a directory: the file is whole
// anyway.
void sync_directory(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  const FileDescriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
}

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes, Sync sync) {
  const std::filesystem::path temporary = temporary_name(path);
  FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) throw_write_error(path, errno);

  const bool done = write_all(file.get(), bytes) &&
                    (sync == Sync::kNo || ::fsync(file.get()) == 0) && file.close() &&
                    ::rename(temporary.c_str(), path.c_str()) == 0;
  if (!done) {
    const int error = errno;
    ::unlink(temporary.c_str());
    throw_write_error(path, error);
  }
  if (sync == Sync::kYes) sync_directory(path);
}

}  // namespace digitron
