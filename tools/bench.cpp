// digitron bench
#include "host/bench/bench.h"

#include <cstdio>
#include <memory>

#include "host/data/data.h"
#include "host/devices/devices.h"
#include "host/files/atomic_file.h"
#include "host/files/json.h"
#include "host/train/settings_json.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct BenchOptions {
  SessionRequest session;
  std::string json;
  BenchSettings settings;
  TimeToOptions time_to;
};

int run_bench(const BenchOptions& options) {
  const SessionRequest& session = options.session;
  if (options.time_to.accuracy) return run_time_to(options.time_to, session, options.json);
  check_settings(options.settings);
  const TrainSettings training = settings_from_json(session.settings);
  check_settings(training);
  Model model = find_model(session.model.empty() ? "lenet5" : session.model);
  if (session.dropout) model = with_dropout(model, *session.dropout);
  const std::jthread device = start_device(session.device);
  const Data data = load_data(session.data.empty() ? "synthetic" : session.data);
  check_counts(training, data.train->count());

  const Plan plan = make_plan(model, training.batch);
  const std::unique_ptr<Engine> engine = make_engine(session.device, plan).engine;
  engine->load(data.train, data.test);
  engine->configure(training_of(training));
  engine->set_state(State::kParameters, initial_parameters(plan, training.seed));
  const BenchResult result = bench(*engine, data.train->count(), options.settings);
  std::puts(bench_line(result, *engine).c_str());
  if (!options.json.empty()) {
    write_file_atomically(options.json, bench_json(result, *engine).dump(1) + '\n');
  }
  return 0;
}

}  // namespace

Command add_bench(CLI::App& app, std::vector<std::string> command_line) {
  CLI::App* sub = app.add_subcommand("bench", "Time of a training step: median and spread");
  auto options = std::make_shared<BenchOptions>();
  options->session.command = std::move(command_line);
  add_model(*sub, options->session.model)->default_str("lenet5, of --time-to mnist-99");
  BenchSettings& settings = options->settings;
  sub->add_option("--steps", settings.steps, "Steps that a sample is the mean of")
      ->capture_default_str();
  sub->add_option("--samples", settings.samples, "Samples to take")->capture_default_str();
  sub->add_option("--warmup-samples", settings.warmup, "Samples before them, not counted")
      ->capture_default_str();
  sub->add_option("--json", options->json, "Write every sample to this file")->type_name("FILE");
  add_data(*sub, options->session.data)
      ->description("As for train. Default: synthetic, of --time-to as for train");
  add_time_to(*sub, options->time_to);
  add_device(*sub, options->session.device);
  add_settings(*sub, options->session);
  return {sub, [options] { return run_bench(*options); }};
}

}  // namespace digitron
