// A run's hold on its directory: two runs never write into one.
#pragma once

#include <filesystem>
#include <optional>

#include "host/core/file_descriptor.h"

namespace digitron {

class RunLock {
 public:
  // Takes the lock of a directory that is there, a file .lock that names the holder. It ends with
  // this object, which removes the file, and with the process however that dies. Waits a second for
  // a holder that is about to end. Throws InputError when another process keeps it, naming that,
  // and when the directory cannot be written.
  explicit RunLock(const std::filesystem::path& directory);

  // The same at once: nothing when another process has it.
  static std::optional<RunLock> try_take(const std::filesystem::path& directory);

  ~RunLock();
  RunLock(RunLock&&) = default;
  RunLock& operator=(RunLock&&) = delete;

 private:
  RunLock(std::filesystem::path path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::filesystem::path path_;  // of the file
  FileDescriptor file_;
};

}  // namespace digitron
