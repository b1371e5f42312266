// digitron train
#include <spdlog/spdlog.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "host/data/data.h"
#include "host/devices.h"
#include "host/run/interrupt.h"
#include "host/run/run_directory.h"
#include "host/run/safetensors.h"
#include "host/run/table.h"
#include "host/run/trainer.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct TrainOptions {
  std::string model = "lenet5";
  std::string data;
  std::string out;
  bool no_shuffle = false;
  bool augment = false;
  TrainSettings settings;
  RunRequest request;
};

void log_start(const TrainSettings& s, const Engine& engine, const Data& data,
               const std::filesystem::path& out) {
  const Plan& plan = engine.plan();
  spdlog::info("{}: {} parameters", plan.model.name,
               grouped(static_cast<int64_t>(plan.parameter_count)));
  spdlog::info("Data: {}, {} training and {} test images", data.description,
               grouped(data.train->count()), grouped(data.test->count()));
  if (!data.is_mnist)
    spdlog::warn("Warning: this data is not MNIST, and its figures are not MNIST's");
  spdlog::info("Device: {}, {}", engine.description(), engine.precision());
  spdlog::info("{}", settings_text(s));
  spdlog::info("Output: {}", out.string());
}

void log_end(const TrainResult& result, const RunDirectory& directory) {
  if (result.test && !result.interrupted) {
    spdlog::info("Final test accuracy: {:.2f}% after {} steps", 100 * result.test->accuracy(),
                 grouped(result.steps));
  }
  if (result.steps == 0) return;  // interrupted before there was anything to save
  spdlog::info("Wrote run.json, metrics.jsonl and model.safetensors in {}",
               directory.path().string());
}

// --augment: what is not given takes these values.
void add_default_distortions(const CLI::App& app, TrainSettings& settings) {
  const auto fill = [&](const char* option, double& value, double otherwise) {
    if (app.count(option) == 0) value = otherwise;
  };
  fill("--shift", settings.shift, 2);
  fill("--rotate", settings.rotate, 10);
  fill("--scale", settings.scale, 0.1);
  fill("--shear", settings.shear, 5);
}

int train(const CLI::App& app, TrainOptions& options) {
  TrainSettings& settings = options.settings;
  settings.shuffle = !options.no_shuffle;
  if (options.augment) add_default_distortions(app, settings);
  check_settings(settings);
  const Model model = find_model(options.model);
  const Data data = load_data(options.data, kDataSeed);
  check_batch(settings.batch, data.train->count());

  const Plan plan = make_plan(model, settings.batch);
  const std::string& init = options.request.init;
  const std::vector<float> parameters =
      init.empty() ? initial_parameters(plan, settings.seed) : load_parameters(init, plan);
  const std::unique_ptr<Engine> engine = make_engine(options.request.device, plan);
  engine->load(data.train, data.test);
  engine->set_parameters(parameters);

  const std::filesystem::path out =
      options.out.empty() ? default_run_directory(model) : std::filesystem::path(options.out);
  RunDirectory directory(out, run_description(options.request, settings, *engine, data));
  log_start(settings, *engine, data, out);
  const TrainResult result =
      Trainer(*engine, directory, settings, data.train->count(), stop_on_signals()).run();
  log_end(result, directory);
  return result.interrupted ? kInterruptedExitCode : 0;
}

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
  app.add_option("--epochs", s.epochs, "Passes over the training set")->capture_default_str();
  app.add_option("--batch", s.batch, "Images a step")->capture_default_str();
  app.add_option("--seed", s.seed, "Seed of the initial weights and of the images' order")
      ->check(CLI::NonNegativeNumber)
      ->type_name("INT")
      ->capture_default_str();
  app.add_flag("--no-shuffle", o.no_shuffle,
               "Take the images in the order of the file, every epoch");
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

}  // namespace

Command add_train(CLI::App& app, std::vector<std::string> command_line) {
  CLI::App* sub = app.add_subcommand("train", "Train a model; write metrics and a checkpoint");
  auto options = std::make_shared<TrainOptions>();
  options->request.command = std::move(command_line);
  add_model(*sub, options->model)->capture_default_str();
  add_data(*sub, options->data);
  sub->add_option("--out", options->out,
                  "For run.json, metrics.jsonl and model.safetensors. Default: runs/MODEL")
      ->type_name("DIR");
  sub->add_option("--init", options->request.init,
                  "Safetensors file of the initial parameters. Default: drawn from the seed")
      ->type_name("FILE");
  add_device(*sub, options->request.device);
  add_run_settings(*sub, *options);
  add_optimizer_settings(*sub, *options);
  add_regularisation(*sub, *options);
  return {sub, [sub, options] { return train(*sub, *options); }};
}

}  // namespace digitron
