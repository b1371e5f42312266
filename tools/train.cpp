// digitron train
#include <spdlog/fmt/fmt.h>

#include <memory>

#include "host/train/interrupt.h"
#include "host/train/session.h"
#include "host/train/settings_json.h"
#include "tools/commands.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// Adds a setting's option, whose form the type of its value decides; what the user gives goes into
// `given`.
struct AddOption {
  CLI::App& app;
  const Setting& setting;
  ordered_json& given;

  template <class T>
  CLI::Option* add() const {
    const auto set = [&name = setting.name, &to = given](const T& value) { to[name] = value; };
    return app.add_option_function<T>(setting.option(), set, setting.help)
        ->default_str(setting.text({}));
  }

  CLI::Option* operator()(int) const { return add<int>(); }
  CLI::Option* operator()(double) const { return add<double>(); }
  CLI::Option* operator()(uint64_t) const {
    return add<uint64_t>()->check(CLI::NonNegativeNumber)->type_name("INT");
  }
  CLI::Option* operator()(OptimizerKind) const { return add<std::string>()->type_name("WORD"); }
  CLI::Option* operator()(Schedule) const { return add<std::string>()->type_name("WORD"); }
  template <class T>
  CLI::Option* operator()(const std::optional<T>&) const {
    return add<T>();
  }
  CLI::Option* operator()(bool on) const {
    const auto set = [&name = setting.name, &to = given, on](int64_t times) {
      to[name] = (times > 0) != on;
    };
    return app.add_flag_function(setting.option(), set, setting.help);
  }
};

// --dropout, which changes the model, and --augment, which stands for the distances that are not
// given.
void add_dropout_and_augment(CLI::App& app, SessionRequest& request) {
  app.add_option("--dropout", request.dropout,
                 "Probability of every dropout layer, instead of the model's own")
      ->type_name("P");
  const auto augment = [&request] {
    ordered_json settings = changed_settings_json(kAugmented);
    settings.update(request.settings);
    request.settings = settings;
  };
  const TrainSettings& s = kAugmented;
  app.add_flag_callback(
      "--augment", augment,
      fmt::format("Distort every training image anew each epoch: shift {}, rotate {}, scale {},\n"
                  "shear {} where these are not given",
                  s.shift, s.rotate, s.scale, s.shear));
}

void add_settings(CLI::App& app, SessionRequest& request) {
  for (const Setting& setting : all_settings()) {
    app.option_defaults()->group(setting.group);
    if (setting.name == std::string("shift")) add_dropout_and_augment(app, request);
    CLI::Option* option =
        setting.with_value(TrainSettings(), AddOption{app, setting, request.settings});
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
  sub->add_option(
         "--profile-steps", request->profile_steps,
         "Let profilers that wait for it (nsys, ncu) capture steps A to B of the run, counted\n"
         "from 1; see digitron profile")
      ->type_name("A:B");
  add_device(*sub, request->device);
  add_settings(*sub, *request);
  return {sub, [request] {
            const TrainResult result = run_session(*request, stop_on_signals);
            return result.interrupted ? kInterruptedExitCode : 0;
          }};
}

}  // namespace digitron
