#include "host/process/process_pool.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "host/core/error.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to us

namespace digitron {

namespace {

pid_t start(const Job& job) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, job.log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0666);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  std::vector<std::string> command = job.command;
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (std::string& argument : command) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw MachineError("cannot run " + job.command[0] + " with its output in " + job.log.string() +
                       ": " + std::strerror(error));
  }
  return child;
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The child processes that run; the destructor waits for all of them.
class Children {
 public:
  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() {
    for (const auto& [child, index] : running_) waitpid(child, nullptr, 0);
  }

  size_t count() const { return running_.size(); }
  void add(pid_t child, size_t index) { running_.emplace(child, index); }
  // Waits for one to end; its job's index and exit code.
  std::pair<size_t, int> wait_for_one() {
    int status = 0;
    pid_t child = 0;
    while ((child = waitpid(-1, &status, 0)) < 0) {
      if (errno != EINTR) throw MachineError(std::string("lost a run: ") + std::strerror(errno));
    }
    const size_t index = running_.at(child);
    running_.erase(child);
    return {index, exit_code(status)};
  }

 private:
  std::map<pid_t, size_t> running_;
};

}  // namespace

void run_jobs(const std::vector<Job>& jobs, int side_by_side, const std::atomic<bool>& stop,
              const std::function<void(size_t, int)>& done) {
  Children children;
  size_t next = 0;
  while (true) {
    while (next < jobs.size() && !stop && children.count() < static_cast<size_t>(side_by_side)) {
      children.add(start(jobs[next]), next);
      ++next;
    }
    if (children.count() == 0) return;
    const auto [index, code] = children.wait_for_one();
    done(index, code);
  }
}

}  // namespace digitron
