// --config: options of a command in a file.
#include <algorithm>
#include <filesystem>

#include "host/core/error.h"
#include "host/text/nearest.h"
#include "tools/commands.h"

namespace digitron {

namespace {

std::vector<CLI::ConfigItem> read_config(const std::string& path) {
  std::error_code ignored;
  const std::string advice = "; give --config a TOML file with a line for each option";
  if (!std::filesystem::is_regular_file(path, ignored)) {
    throw InputError(path + " is not a file" + advice);
  }
  try {
    return CLI::ConfigTOML().from_file(path);
  } catch (const CLI::Error&) {
    throw InputError(path + " cannot be read" + advice);
  }
}

// Throws InputError for what is no option of the command.
CLI::Option& find_option(CLI::App& app, const CLI::ConfigItem& item) {
  if (!item.parents.empty()) {
    throw InputError("[" + item.parents.front() +
                     "] begins a section; write its lines without one");
  }
  std::string name = item.name;  // also as run.json spells it
  std::replace(name.begin(), name.end(), '_', '-');
  CLI::Option* const option = app.get_option_no_throw("--" + name);
  if (option != nullptr && option->get_configurable()) return *option;
  const std::vector<std::string> names = long_options(app);
  throw InputError("'" + item.name + "' is no option of digitron " + app.get_name() +
                   did_you_mean("--" + name, names) + "; see its --help");
}

void take(CLI::App& app, const CLI::ConfigItem& item) {
  CLI::Option& option = find_option(app, item);
  if (!option.empty()) return;  // the command line wins
  if (item.inputs.size() != 1) throw InputError(item.name + " has several values; give one");
  const std::string& value = item.inputs.front();
  if (value.starts_with('"') || value.starts_with('\'')) {  // CLI11 ends a line at every #
    throw InputError(item.name + " has a quote without its end, or a #; leave that out");
  }
  const bool is_flag = option.get_expected_min() == 0;
  option.add_result(is_flag ? option.get_flag_value(item.name, value) : value);
  option.run_callback();
}

}  // namespace

std::vector<std::string> long_options(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

void add_config(CLI::App& app) {
  const auto read = [&app](const std::string& path) {
    const std::vector<CLI::ConfigItem> items = read_config(path);
    try {
      for (const CLI::ConfigItem& item : items) take(app, item);
    } catch (const InputError& error) {
      throw InputError(path + ": " + error.what());
    } catch (const CLI::ParseError& error) {
      throw InputError(path + ": " + error.what());
    }
  };
  app.add_option_function<std::string>(
         "--config", read,
         "TOML file of these options, a line each, such as lr = 0.05 or augment = true; the\n"
         "command line goes before it, and it before --like")
      ->configurable(false)
      ->type_name("FILE");
}

}  // namespace digitron
