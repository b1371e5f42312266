#include "tools/command_line.h"

#include <memory>

#include "host/core/error.h"
#include "host/machine/build.h"
#include "tools/commands.h"

namespace digitron {

std::function<int()> parse_command_line(int argc, const char* const* argv) {
  const auto app =
      std::make_shared<CLI::App>("Digitron trains small image classifiers on MNIST.", "digitron");
  app->set_version_flag("--version", "digitron " + version() + " (" + compiler() + ")");
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
    throw InputError(std::string(error.what()) + "; see digitron " +
                     (subs.empty() ? "" : subs.front()->get_name() + " ") + "--help");
  }
  for (const Command& command : commands) {
    if (command.options->parsed()) return [app, run = command.run] { return run(); };
  }
  throw InputError("no command given; see digitron --help");
}

}  // namespace digitron
