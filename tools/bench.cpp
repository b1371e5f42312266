// digitron bench
#include "host/bench/bench.h"

#include <cstdio>
#include <memory>

#include "host/data/data.h"
#include "host/devices/devices.h"
#include "host/files/atomic_file.h"
#include "host/files/json.h"
#include "host/train/settings.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct BenchOptions {
  std::string model = "lenet5";
  std::string data = "synthetic";
  std::string json;
  int batch = 64;
  DeviceRequest device;
  BenchSettings settings;
};

int run_bench(const BenchOptions& options) {
  check_settings(options.settings);
  const TrainSettings training{.batch = options.batch};
  check_settings(training);
  const Model model = find_model(options.model);
  const std::jthread device = start_device(options.device);
  const Data data = load_data(options.data);
  check_counts(training, data.train->count());

  const Plan plan = make_plan(model, options.batch);
  const std::unique_ptr<Engine> engine = make_engine(options.device, plan).engine;
  engine->load(data.train, data.test);
  engine->set_state(State::kParameters, initial_parameters(plan, training.seed));
  const BenchResult result = bench(*engine, data.train->count(), options.settings);
  std::puts(bench_line(result, *engine).c_str());
  if (!options.json.empty()) {
    write_file_atomically(options.json, bench_json(result, *engine).dump(1) + '\n');
  }
  return 0;
}

}  // namespace

Command add_bench(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("bench", "Time of a training step: median and spread");
  auto options = std::make_shared<BenchOptions>();
  add_model(*sub, options->model)->capture_default_str();
  sub->add_option("--batch", options->batch, "Images a step")->capture_default_str();
  BenchSettings& settings = options->settings;
  sub->add_option("--steps", settings.steps, "Steps that a sample is the mean of")
      ->capture_default_str();
  sub->add_option("--samples", settings.samples, "Samples to take")->capture_default_str();
  sub->add_option("--warmup", settings.warmup, "Samples before them, not counted")
      ->capture_default_str();
  sub->add_option("--json", options->json, "Write every sample to this file")->type_name("FILE");
  add_data(*sub, options->data)
      ->description("As for train; the images do not change the time")
      ->capture_default_str();
  add_device(*sub, options->device);
  return {sub, [options] { return run_bench(*options); }};
}

}  // namespace digitron
