#include "tools/train_options.h"

#include "host/core/error.h"
#include "host/files/json.h"
#include "host/train/resume.h"
#include "host/train/settings_json.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct Distance {
  const char* option;
  double TrainSettings::*value;
  double with_augment;
};
constexpr Distance kDistances[] = {{"--shift", &TrainSettings::shift, 2},
                                   {"--rotate", &TrainSettings::rotate, 10},
                                   {"--scale", &TrainSettings::scale, 0.1},
                                   {"--shear", &TrainSettings::shear, 5}};

// An option whose value is one of some words.
template <class T, class Parse>
void add_word(CLI::App& app, const char* name, T& value, Parse parse, const char* help) {
  app.add_option_function<std::string>(
         name, [&value, parse](const std::string& word) { value = parse(word); }, help)
      ->type_name("WORD")
      ->default_str(to_text(value));
}

void add_run_settings(CLI::App& app, TrainOptions& o) {
  TrainSettings& s = o.settings;
  app.option_defaults()->group("Run");
  app.add_option("--epochs", s.epochs, "Passes over the training set")->capture_default_str();
  app.add_option("--batch", s.batch, "Images a step")->capture_default_str();
  app.add_option("--seed", s.seed, "Seed of the initial weights and of all that training draws")
      ->check(CLI::NonNegativeNumber)
      ->type_name("INT")
      ->capture_default_str();
  app.add_flag("--no-shuffle", o.no_shuffle,
               "Take the images in the order of the file, every epoch");
  app.add_option("--validation", s.validation,
                 "Set the last N training images aside; the epochs' figures are then of them, and\n"
                 "the test set is read once, at the end")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--patience", s.patience,
                 "With --validation: stop when its loss has not fallen for this many epochs, and\n"
                 "keep the best epoch's parameters. Default: never")
      ->type_name("EPOCHS");
  app.add_option("--max-steps", s.max_steps,
                 "Stop after this many steps in all, then evaluate and save. Default: no limit");
  app.add_flag("--log-steps", s.log_steps, "Write every step's loss to metrics.jsonl");
}

void add_optimizer_settings(CLI::App& app, TrainOptions& o) {
  TrainSettings& s = o.settings;
  app.option_defaults()->group("Optimizer");
  add_word(app, "--optimizer", s.optimizer, parse_optimizer, "sgd, nesterov, adam or adamw");
  app.add_option("--lr", s.lr, "Learning rate, the largest of a schedule")->capture_default_str();
  app.add_option("--momentum", s.momentum, "Of sgd and nesterov, from 0 to below 1")
      ->capture_default_str();
  app.add_option("--beta1", s.beta1, "Of adam and adamw, from 0 to below 1")->capture_default_str();
  app.add_option("--beta2", s.beta2, "Of adam and adamw, from 0 to below 1")->capture_default_str();
  app.add_option("--eps", s.eps, "Of adam and adamw, above 0")->capture_default_str();
  app.add_option("--weight-decay", s.weight_decay, "L2 weight decay as in torch.optim")
      ->capture_default_str();
  app.option_defaults()->group("Learning-rate schedule");
  add_word(app, "--schedule", s.schedule, parse_schedule, "constant, step, cosine or one-cycle");
  app.add_option("--warmup", s.warmup,
                 "Epochs of rising rate, fractions too. Default: 0; of one-cycle 0.3 of the run");
  app.add_option("--step-epochs", s.step_epochs, "Of step: epochs between two steps")
      ->capture_default_str();
  app.add_option("--gamma", s.gamma, "Of step: what the rate is multiplied by")
      ->capture_default_str();
}

void add_regularisation(CLI::App& app, TrainOptions& o) {
  TrainSettings& s = o.settings;
  app.option_defaults()->group("Regularisation");
  app.add_option("--label-smoothing", s.label_smoothing,
                 "Part of each target that all classes share, from 0 to below 1")
      ->capture_default_str();
  app.add_option("--dropout", o.dropout,
                 "Probability of every dropout layer, instead of the model's own")
      ->type_name("P");
  app.add_flag("--augment", o.augment,
               "Distort every training image anew each epoch: shift 2, rotate 10, scale 0.1,\n"
               "shear 5 where these are not given");
  app.add_option("--shift", s.shift, "Most pixels an image is shifted by, along each axis")
      ->capture_default_str();
  app.add_option("--rotate", s.rotate, "Most degrees, up to 45")->capture_default_str();
  app.add_option("--scale", s.scale, "Most that a factor differs from 1, up to 0.9")
      ->capture_default_str();
  app.add_option("--shear", s.shear, "Most degrees, up to 45")->capture_default_str();
  app.add_option("--ema", s.ema,
                 "Decay of a moving average of the weights, from 0 (none) to below 1; it is what\n"
                 "is evaluated and saved")
      ->capture_default_str();
}

// The settings' options that stand on the command line, or that --augment stands for.
std::vector<std::string> given_settings(const CLI::App& app, const TrainOptions& o) {
  std::vector<std::string> given;
  for (const std::string& option : setting_options()) {
    if (app.count(option) > 0) given.push_back(option);
  }
  for (const Distance& distance : kDistances) {
    if (o.augment && app.count(distance.option) == 0) given.emplace_back(distance.option);
  }
  return given;
}

}  // namespace

void add_train_options(CLI::App& app, TrainOptions& o) {
  add_model(app, o.model)->default_str("lenet5");
  add_data(app, o.data);
  app.add_option("--out", o.out,
                 "For run.json, metrics.jsonl and model.safetensors. Default: runs/MODEL")
      ->type_name("DIR");
  app.add_option("--init", o.request.init,
                 "Safetensors file of the initial parameters. Default: drawn from the seed")
      ->type_name("FILE");
  app.add_option("--resume", o.resume,
                 "Continue the run in this directory as if it had never stopped, with its settings")
      ->type_name("DIR");
  app.add_flag("--force", o.force, "With --resume: let other settings than the run's count");
  add_device(app, o.request.device);
  add_run_settings(app, o);
  add_optimizer_settings(app, o);
  add_regularisation(app, o);
}

void complete_options(const CLI::App& app, TrainOptions& o, const nlohmann::ordered_json& run) {
  o.settings.shuffle = !o.no_shuffle;
  for (const Distance& distance : kDistances) {
    if (o.augment && app.count(distance.option) == 0) {
      o.settings.*distance.value = distance.with_augment;
    }
  }
  if (run.is_null()) {
    if (o.force) throw InputError("--force goes with --resume; leave it out");
    if (o.model.empty()) o.model = "lenet5";
    const TrainSettings given = o.settings;
    o.settings = default_settings(find_model(o.model));
    for (const std::string& option : given_settings(app, o)) {
      copy_setting(o.settings, given, option);
    }
    return;
  }
  for (const char* option : {"--out", "--init"}) {
    if (app.count(option) == 0) continue;
    throw InputError(std::string(option) +
                     " does not go with --resume, which continues in the run's own directory with "
                     "its own parameters; leave it out");
  }
  o.settings = resumed_settings(run, o.settings, given_settings(app, o), o.force);
  if (o.data.empty()) o.data = run["data"]["source"];
}

}  // namespace digitron
