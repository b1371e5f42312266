#include "tools/command_line.h"

#include <memory>

#include "host/core/error.h"
#include "host/machine/build.h"
#include "host/text/nearest.h"
#include "tools/commands.h"

namespace digitron {

namespace {

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

}  // namespace

std::function<int()> parse_command_line(int argc, const char* const* argv) {
  const auto app =
      std::make_shared<CLI::App>("Digitron trains small image classifiers on MNIST.", "digitron");
  app->set_version_flag("--version", version_line());
  app->get_formatter()->column_width(31);
  app->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const std::vector<std::string> command_line(argv, argv + argc);
  const std::vector<Command> commands{
      add_train(*app, command_line), add_eval(*app),    add_predict(*app), add_inspect(*app),
      add_bench(*app, command_line), add_compare(*app), add_profile(*app), add_report(*app),
      add_sweep(*app, command_line), add_devices(*app)};
  app->footer("Each command has a --help of its own, for example: digitron train --help");
  refuse_empty_values(command_line);
  try {
    app->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return [app, error] { return app->exit(error); };  // --help
    const auto subs = app->get_subcommands();
    throw InputError(error.what() + slip_text(subs.empty() ? *app : *subs.front()) +
                     "; see digitron " + (subs.empty() ? "" : subs.front()->get_name() + " ") +
                     "--help");
  }
  for (const Command& command : commands) {
    if (command.options->parsed()) return [app, run = command.run] { return run(); };
  }
  throw InputError("no command given; see digitron --help");
}

}  // namespace digitron
