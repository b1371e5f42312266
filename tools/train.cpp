// digitron train
#include <spdlog/fmt/fmt.h>

#include <memory>

#include "host/train/interrupt.h"
#include "host/train/recipes.h"
#include "host/train/session.h"
#include "host/train/settings_json.h"
#include "tools/commands.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// The option of a setting, by the type of its value; what the user gives goes into `given`.
template <class T>
CLI::Option* add_option(CLI::App& app, const Setting& setting, const T&, ordered_json& given) {
  const auto set = [&](const T& value) { given[setting.name] = value; };
  return app.add_option_function<T>(setting.option(), set, setting.help)
      ->default_str(setting.text({}));
}

template <class T>
CLI::Option* add_option(CLI::App& app, const Setting& setting, const std::optional<T>&,
                        ordered_json& given) {
  return add_option(app, setting, T(), given);
}

CLI::Option* add_option(CLI::App& app, const Setting& setting, uint64_t value,
                        ordered_json& given) {
  return add_option<uint64_t>(app, setting, value, given)
      ->check(CLI::NonNegativeNumber)
      ->type_name("INT");
}

CLI::Option* add_option(CLI::App& app, const Setting& setting, bool value, ordered_json& given) {
  const auto set = [&, value](int64_t times) { given[setting.name] = (times > 0) != value; };
  return app.add_flag_function(setting.option(), set, setting.help);
}

template <class Enum>
requires std::is_enum_v<Enum> CLI::Option* add_option(CLI::App& app, const Setting& setting,
                                                      const Enum&, ordered_json& given) {
  const auto set = [&](const std::string& word) {
    Enum value{};
    parse(word, value);
    given[setting.name] = to_text(value);
  };
  return app.add_option_function<std::string>(setting.option(), set, setting.help)
      ->default_str(setting.text({}))
      ->type_name("WORD");
}

// --dropout, which changes the model, and --augment, which stands for the distances that are not
// given.
void add_regularisation(CLI::App& app, SessionRequest& request, const char* group) {
  app.add_option("--dropout", request.dropout,
                 "Probability of every dropout layer, instead of the model's own")
      ->type_name("P")
      ->group(group);
  const auto augment = [&request] {
    ordered_json distances = changed_settings_json(kAugmented);
    distances.update(request.settings);
    request.settings = distances;
  };
  app.add_flag_callback(
         "--augment", augment,
         fmt::format(
             "Distort every training image anew each epoch: shift {}, rotate {}, scale {},\n"
             "shear {} where these are not given",
             kAugmented.shift, kAugmented.rotate, kAugmented.scale, kAugmented.shear))
      ->group(group);
}

void add_settings(CLI::App& app, SessionRequest& request) {
  const TrainSettings defaults;
  for (const Setting& setting : all_settings()) {
    if (setting.name == std::string("shift")) add_regularisation(app, request, setting.group);
    CLI::Option* option = setting.with_value(defaults, [&](const auto& value) {
      return add_option(app, setting, value, request.settings);
    });
    option->group(setting.group);
    if (setting.type != nullptr) option->type_name(setting.type);
  }
}

}  // namespace

Command add_train(CLI::App& app, std::vector<std::string> command_line) {
  CLI::App* sub = app.add_subcommand("train", "Train a model; write metrics and a checkpoint");
  auto request = std::make_shared<SessionRequest>();
  request->command = std::move(command_line);
  add_model(*sub, request->model)->default_str("lenet5");
  add_data(*sub, request->data);
  sub->add_option("--out", request->out,
                  "For run.json, metrics.jsonl and model.safetensors. Default: runs/MODEL")
      ->type_name("DIR");
  sub->add_option("--init", request->init,
                  "Safetensors file of the initial parameters. Default: drawn from the seed")
      ->type_name("FILE");
  sub->add_option(
         "--resume", request->resume,
         "Continue the run in this directory as if it had never stopped, with its settings")
      ->type_name("DIR");
  sub->add_flag("--force", request->force,
                "With --resume: let other settings than the run's count");
  add_device(*sub, request->device);
  add_settings(*sub, *request);
  return {sub, [request] {
            const TrainResult result = run_session(*request, stop_on_signals);
            return result.interrupted ? kInterruptedExitCode : 0;
          }};
}

}  // namespace digitron
