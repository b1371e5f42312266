#include "host/process/process_pool.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <map>
#include <set>
#include <utility>

#include "host/core/error.h"
#include "host/core/file_descriptor.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to us

namespace digitron {

namespace {

// In the child, between fork and exec: what may be called there allocates nothing. It dies with its
// parent, and a signal from the terminal reaches it through the parent alone.
[[noreturn]] void become(const Job& job, const std::vector<char*>& argv, pid_t parent, int errors) {
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int out = ::open(job.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (in >= 0 && out >= 0 && ::dup2(in, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0 &&
      ::dup2(out, STDERR_FILENO) >= 0 && ::setpgid(0, 0) == 0 &&
      ::prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && ::getppid() == parent) {
    ::execve(argv[0], argv.data(), environ);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t told = ::write(errors, &error, sizeof error);
  ::_exit(127);
}

pid_t start(const Job& job) {
  std::vector<std::string> command = job.command;
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (std::string& argument : command) argv.push_back(argument.data());
  argv.push_back(nullptr);
  int ends[2];
  const pid_t parent = ::getpid();
  pid_t child = -1;
  int error = 0;
  if (::pipe2(ends, O_CLOEXEC) == 0) {
    const FileDescriptor read_end(ends[0]);
    FileDescriptor write_end(ends[1]);
    child = ::fork();
    if (child == 0) become(job, argv, parent, write_end.get());
    if (child < 0) error = errno;
    write_end.close();
    // Closed by exec: nothing is read where that went well.
    if (child > 0 && ::read(read_end.get(), &error, sizeof error) > 0) ::waitpid(child, nullptr, 0);
  } else {
    error = errno;
  }
  if (error != 0) {
    throw MachineError("cannot run " + job.command[0] + " with its output in " + job.log.string() +
                       ": " + std::strerror(error));
  }
  return child;
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// SIGCHLD is kept back while this lives, so that sigtimedwait meets it.
class BlockedChildSignal {
 public:
  BlockedChildSignal() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~BlockedChildSignal() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedChildSignal(const BlockedChildSignal&) = delete;
  BlockedChildSignal& operator=(const BlockedChildSignal&) = delete;

  // Until a child has ended, another signal was handled, or a fifth of a second has passed: one
  // that comes just before the wait is so met too.
  void wait() const {
    const timespec most{0, 200'000'000};
    sigtimedwait(&set_, nullptr, &most);
  }

 private:
  sigset_t set_{}, before_{};
};

// The child processes that run; the destructor ends them as Ctrl-C does, and waits.
class Children {
 public:
  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() {
    end();
    for (const auto& [child, slot] : running_) waitpid(child, nullptr, 0);
  }

  size_t count() const { return running_.size(); }
  void add(pid_t child, size_t slot) { running_.emplace(child, slot); }

  // Tells all of them, once, to save what they have and end; each leads a group of processes, with
  // its own children if it is a launcher.
  void end() {
    if (std::exchange(told_, true)) return;
    for (const auto& [child, slot] : running_) ::kill(-child, SIGTERM);
  }

  // Waits for one to end; its slot and exit code. All are told to end when `stop` is raised.
  std::pair<size_t, int> wait_for_one(const std::atomic<bool>& stop,
                                      const std::function<void(size_t)>& waiting) {
    const BlockedChildSignal signal;
    while (true) {
      if (stop) end();
      waiting(count());
      int status = 0;
      const pid_t child = waitpid(-1, &status, WNOHANG);
      if (child < 0 && errno != EINTR) {
        throw MachineError(std::string("lost a run: ") + std::strerror(errno));
      }
      const auto entry = running_.find(child);
      if (entry != running_.end()) {
        const size_t slot = entry->second;
        running_.erase(entry);
        return {slot, exit_code(status)};
      }
      if (child <= 0) signal.wait();
    }
  }

 private:
  std::map<pid_t, size_t> running_;
  bool told_ = false;
};

}  // namespace

void run_slots(size_t slots, const std::function<std::optional<Job>(size_t)>& next,
               const std::atomic<bool>& stop, const std::function<void(size_t, int)>& done,
               const std::function<void(size_t)>& waiting) {
  Children children;
  std::set<size_t> idle;
  for (size_t slot = 0; slot < slots; ++slot) idle.insert(slot);
  while (true) {
    while (!idle.empty() && !stop) {
      const std::optional<Job> job = next(*idle.begin());
      if (!job) break;
      children.add(start(*job), *idle.begin());
      idle.erase(idle.begin());
    }
    if (children.count() == 0) return;
    const auto [slot, code] = children.wait_for_one(stop, waiting);
    idle.insert(slot);
    done(slot, code);
  }
}

void run_jobs(const std::vector<Job>& jobs, size_t side_by_side, const std::atomic<bool>& stop,
              const std::function<void(size_t, int)>& done) {
  std::vector<size_t> running(side_by_side);  // the job in each slot
  size_t begun = 0;
  const auto next = [&](size_t slot) -> std::optional<Job> {
    if (begun == jobs.size()) return std::nullopt;
    running[slot] = begun;
    return jobs[begun++];
  };
  run_slots(side_by_side, next, stop, [&](size_t slot, int code) { done(running[slot], code); });
}

}  // namespace digitron
