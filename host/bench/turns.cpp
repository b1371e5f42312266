#include "host/bench/turns.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "host/bench/sampler.h"
#include "host/core/error.h"

namespace digitron {

namespace {

int open_pipe(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC);
  if (file >= 0) return file;
  throw MachineError("cannot open the pipe " + path + ": " + std::strerror(errno) +
                     "; set TMPDIR to where pipes can be made");
}

}  // namespace

// The files stay open until the process ends.
Turns take_part(const std::string& mine, const std::string& yours) {
  const int in = open_pipe(mine, O_RDONLY);
  const int out = open_pipe(yours, O_WRONLY);
  return {[in] {
            char turn = 0;
            while (read(in, &turn, 1) < 0 && errno == EINTR) {
            }
          },
          [out] {
            const char turn = 0;
            while (write(out, &turn, 1) < 0 && errno == EINTR) {
            }
          }};
}

TurnPipes::TurnPipes(const std::filesystem::path& directory) {
  for (size_t i = 0; i < paths_.size(); ++i) {
    paths_.at(i) = directory / ("turn." + std::to_string(i));
    (void)mkfifo(paths_.at(i).c_str(), 0600);  // if it fails, opening says so
    // Both ends, so that no process waits for the other to open its own, or meets a broken pipe.
    files_.at(i) = open_pipe(paths_.at(i), O_RDWR | O_NONBLOCK);
  }
}

TurnPipes::~TurnPipes() {
  for (const int file : files_) close(file);
}

void TurnPipes::leave_to(size_t process) const {
  give(process, size_t{kMostSlices} + 2);
}

void TurnPipes::give(size_t process, size_t turns) const {
  const std::string bytes(turns, '\0');
  (void)!write(files_.at(process), bytes.data(), bytes.size());
}

}  // namespace digitron
