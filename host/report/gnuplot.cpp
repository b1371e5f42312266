#include "host/report/gnuplot.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "host/core/error.h"
#include "host/text/text.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to us

namespace digitron {

namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

// Files rather than pipes: neither side ever waits for the other.
File temporary_file() {
  File file(std::tmpfile());
  if (!file) {
    throw MachineError(std::string("cannot create a temporary file for gnuplot: ") +
                       std::strerror(errno) + "; free some space in /tmp and run again");
  }
  return file;
}

File file_with(std::string_view bytes) {
  File file = temporary_file();
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  if (!written || std::fflush(file.get()) != 0) {
    throw MachineError("cannot write a temporary file for gnuplot; free some space in /tmp");
  }
  std::rewind(file.get());
  return file;
}

std::string contents(std::FILE* file) {
  std::string bytes;
  std::array<char, 65536> buffer;
  std::rewind(file);
  while (const size_t count = std::fread(buffer.data(), 1, buffer.size(), file)) {
    bytes.append(buffer.data(), count);
  }
  return bytes;
}

[[noreturn]] void cannot_start(const std::string& program, int error) {
  const char* advice = "free memory or processes, then run again";
  if (error == ENOENT)
    advice = "install Debian's package gnuplot-nox (apt-get install gnuplot-nox)";
  if (error == EACCES) advice = "make it a program that you may run, or put another first on PATH";
  throw MachineError("cannot run " + program + ", which draws the curves (" + std::strerror(error) +
                     "); " + advice);
}

std::string ending(int status) {
  return WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                           : std::string("ended by ") + ::strsignal(WTERMSIG(status));
}

// What it says of a failure, behind a colon; nothing where it was silent.
std::string said(std::FILE* err) {
  const std::string text = shortened(one_line(contents(err)), 400);
  return text.empty() ? "" : ": " + text;
}

// The child's wait status.
int run(const std::string& program, std::FILE* in, std::FILE* out, std::FILE* err) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fileno(in), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, fileno(err), STDERR_FILENO);
  std::string name = program;
  std::string settings = "-d";  // nobody's .gnuplot
  const std::array<char*, 3> argv{name.data(), settings.data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawnp(&child, name.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) cannot_start(program, error);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw MachineError("lost gnuplot: " + std::string(std::strerror(errno)));
  }
  return status;
}

}  // namespace

std::string run_gnuplot(std::string_view script, const std::string& program) {
  const File in = file_with(script);
  const File out = temporary_file();
  const File err = temporary_file();
  const int status = run(program, in.get(), out.get(), err.get());
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw MachineError(program + " failed (" + ending(status) + ")" + said(err.get()) +
                       "; check that it runs (gnuplot 5 or later), and that memory is free");
  }
  return contents(out.get());
}

}  // namespace digitron
