// The command-line program: reads the command line, runs one command, and turns what went wrong
// into one line and an exit code: 2 for the user's input, 1 for the machine. Codes of a command's
// own, such as 3 of compare, are in its --help.
#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <system_error>

#include "host/core/error.h"
#include "host/machine/build.h"
#include "host/text/log_format.h"
#include "host/text/nearest.h"
#include "host/text/text.h"
#include "tools/commands.h"

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

// What the first word that `app` does not know may have been meant to be; empty where it knows all.
std::string slip_text(const CLI::App& app) {
  const std::vector<std::string> unknown = app.remaining();
  if (unknown.empty()) return "";
  const std::string word = unknown.front().substr(0, unknown.front().find('='));
  std::vector<std::string> words = long_options(app);
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back(command->get_name());
  }
  return did_you_mean(word, words);
}

int run(int argc, char** argv) {
  CLI::App app("Digitron trains small image classifiers on MNIST.", "digitron");
  app.set_version_flag("--version", version_line());
  app.get_formatter()->column_width(31);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const std::vector<std::string> command_line(argv, argv + argc);
  const std::vector<Command> commands{
      add_train(app, command_line), add_eval(app),    add_predict(app), add_inspect(app),
      add_bench(app, command_line), add_compare(app), add_profile(app), add_report(app),
      add_sweep(app, command_line), add_devices(app)};
  app.footer("Each command has a --help of its own, for example: digitron train --help");
  refuse_empty_values(command_line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const auto subs = app.get_subcommands();
    throw InputError(error.what() + slip_text(subs.empty() ? app : *subs.front()) +
                     "; see digitron " + (subs.empty() ? "" : subs.front()->get_name() + " ") +
                     "--help");
  }
  for (const Command& command : commands) {
    if (command.options->parsed()) return command.run();
  }
  throw InputError("no command given; see digitron --help");
}

}  // namespace

}  // namespace digitron

int main(int argc, char** argv) {
  using namespace digitron;
  open_standard_streams();
  std::signal(SIGXFSZ, SIG_IGN);  // a file over the limit is an error that write reports
  spdlog::set_formatter(log_format());
  try {
    const int exit_code = run(argc, argv);
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
