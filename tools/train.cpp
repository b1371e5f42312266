// digitron train
#include <spdlog/spdlog.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "host/data/data.h"
#include "host/devices.h"
#include "host/run/interrupt.h"
#include "host/run/model_state.h"
#include "host/run/run_directory.h"
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
  std::optional<double> dropout;
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
  spdlog::info("Device: {}, fp32", engine.description());
  spdlog::info("SGD: epochs {}, batch {}, lr {}, momentum {}, weight decay {}, seed {}{}", s.epochs,
               s.batch, s.lr, s.momentum, s.weight_decay, s.seed,
               s.shuffle ? "" : ", not shuffled");
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

int train(TrainOptions& options) {
  TrainSettings& settings = options.settings;
  settings.shuffle = !options.no_shuffle;
  check_settings(settings);
  const Model named = find_model(options.model);
  const Model model = options.dropout ? with_dropout(named, *options.dropout) : named;
  const Data data = load_data(options.data, kDataSeed);
  check_batch(settings.batch, data.train->count());

  const Plan plan = make_plan(model, settings.batch);
  const std::string& init = options.request.init;
  require_trainable(plan, data.train->count());
  const ModelState state =
      init.empty() ? initial_state(plan, settings.seed) : load_state(init, plan);
  const std::unique_ptr<Engine> engine =
      make_engine(options.request.device, plan, options.request.threads);
  engine->load(data.train, data.test);
  engine->set_parameters(state.parameters);
  engine->set_buffers(state.buffers);

  const std::filesystem::path out =
      options.out.empty() ? default_run_directory(model) : std::filesystem::path(options.out);
  RunDirectory directory(out, run_description(options.request, settings, *engine, data));
  log_start(settings, *engine, data, out);
  const TrainResult result = Trainer(*engine, directory, settings, data.train->count(),
                                     stop_on_signals(), state.batches_tracked)
                                 .run();
  log_end(result, directory);
  return result.interrupted ? kInterruptedExitCode : 0;
}

void add_settings(CLI::App& app, TrainOptions& o) {
  TrainSettings& s = o.settings;
  app.add_option("--epochs", s.epochs, "Passes over the training set")->capture_default_str();
  app.add_option("--batch", s.batch, "Images a step")->capture_default_str();
  app.add_option("--lr", s.lr, "Learning rate")->capture_default_str();
  app.add_option("--momentum", s.momentum, "Momentum, from 0 to below 1")->capture_default_str();
  app.add_option("--weight-decay", s.weight_decay, "L2 weight decay, as in torch.optim.SGD")
      ->capture_default_str();
  app.add_option("--dropout", o.dropout,
                 "Probability of every dropout layer, instead of the model's own")
      ->type_name("P");
  app.add_option("--seed", s.seed,
                 "Seed of the initial weights, of the images' order and of dropout")
      ->check(CLI::NonNegativeNumber)
      ->type_name("INT")
      ->capture_default_str();
  app.add_flag("--no-shuffle", o.no_shuffle,
               "Take the images in the order of the file, every epoch");
  app.add_option("--max-steps", s.max_steps,
                 "Stop after this many steps in all, then evaluate and save. Default: no limit");
  app.add_flag("--log-steps", s.log_steps, "Write every step's loss to metrics.jsonl");
}

}  // namespace

Command add_train(CLI::App& app, std::vector<std::string> command_line) {
  CLI::App* sub = app.add_subcommand("train", "Train a model; write metrics and a checkpoint");
  auto options = std::make_shared<TrainOptions>();
  options->request.command = std::move(command_line);
  options->request.device = "auto";
  add_model(*sub, options->model)->capture_default_str();
  add_data(*sub, options->data);
  sub->add_option("--out", options->out,
                  "For run.json, metrics.jsonl and model.safetensors. Default: runs/MODEL")
      ->type_name("DIR");
  sub->add_option("--init", options->request.init,
                  "Safetensors file of the initial parameters. Default: drawn from the seed")
      ->type_name("FILE");
  add_settings(*sub, *options);
  add_device(*sub, options->request.device);
  add_threads(*sub, options->request.threads);
  return {sub, [options] { return train(*options); }};
}

}  // namespace digitron
