// Runs the real program, as a user would.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/data_testing.h"
#include "tests/moved.h"

namespace digitron::testing {

struct ProgramResult {
  int exit_code;  // 128 + signal when a signal ended it, as shells say
  std::string out;
  std::string err;
};

// A program that runs; what it prints goes to files, or its output to `terminal` when that is
// named.
class Process {
 public:
  explicit Process(const std::vector<std::string>& command, const std::string& terminal = "") {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const std::string out = terminal.empty() ? (directory_ / "out").string() : terminal;
    const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (directory_ / "err").c_str(), flags,
                                     0600);
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const int error = posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) throw std::runtime_error("cannot start " + command[0]);
  }
  ~Process() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) { ::kill(pid_, signal); }

  ProgramResult wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    const int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {exit_code, read_file(directory_ / "out"), read_file(directory_ / "err")};
  }

 private:
  TemporaryDirectory directory_;
  pid_t pid_ = -1;
};

// Whether the condition comes true within half a minute.
template <class Condition>
bool wait_for(Condition&& condition) {
  for (int i = 0; i < 3000; ++i) {
    if (condition()) return true;
    ::usleep(10'000);
  }
  return false;
}

inline std::vector<std::string> program(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), moved("DIGITRON_PROGRAM", DIGITRON_PROGRAM));
  return arguments;
}

inline ProgramResult run_program(const std::vector<std::string>& arguments) {
  return Process(program(arguments)).wait();
}

// `script` sees the program as $0 and the arguments as "$@".
inline ProgramResult run_shell(const std::string& script,
                               const std::vector<std::string>& arguments) {
  std::vector<std::string> command = program(arguments);
  command.insert(command.begin(), {"sh", "-c", script});
  return Process(command).wait();
}

}  // namespace digitron::testing
