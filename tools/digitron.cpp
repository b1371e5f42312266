// The command-line program: runs what its command line asks for, and turns what went wrong into one
// line and an exit code: 2 for the user's input, 1 for the machine. Codes of a command's own, such
// as 3 of compare, are in its --help.
#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <system_error>

#include "host/core/error.h"
#include "host/text/log_format.h"
#include "host/text/text.h"
#include "tools/command_line.h"

namespace digitron {

namespace {

constexpr int kInputExitCode = 2;
constexpr int kMachineExitCode = 1;

int fail(const std::string& message, int exit_code) {
  std::fprintf(stderr, "digitron: %s\n", message_line(message).c_str());
  return exit_code;
}

// A closed standard stream would lend its number to the next file that is opened, and the log would
// be written into that.
void open_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (fcntl(fd, F_GETFD) == -1) (void)open("/dev/null", O_RDWR);
  }
}

// Mostly of std::async and std::jthread, which say no more than the reason.
std::string what_failed(const std::system_error& error) {
  if (error.code() != std::errc::resource_unavailable_try_again) return error.what();
  return std::string("no thread could be started (") + error.what() +
         "); raise the limit on processes (ulimit -u, the cgroup's pids.max) or on memory (ulimit "
         "-v)";
}

void flush_output() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    throw MachineError("cannot write to standard output; check where it goes");
  }
}

}  // namespace

}  // namespace digitron

int main(int argc, char** argv) {
  using namespace digitron;
  open_standard_streams();
  std::signal(SIGXFSZ, SIG_IGN);  // a file over the limit is an error that write reports
  spdlog::set_formatter(log_format());
  try {
    const int exit_code = parse_command_line(argc, argv)();
    flush_output();
    return exit_code;
  } catch (const InputError& error) {
    return fail(error.what(), kInputExitCode);
  } catch (const std::bad_alloc&) {
    return fail("out of memory; take a smaller model, batch or data set", kMachineExitCode);
  } catch (const std::system_error& error) {
    return fail(what_failed(error), kMachineExitCode);
  } catch (const std::exception& error) {
    return fail(error.what(), kMachineExitCode);
  }
}
