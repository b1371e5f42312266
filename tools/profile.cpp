// digitron profile
#include <cstdio>
#include <memory>

#include "host/bench/breakdown.h"
#include "host/data/data.h"
#include "host/devices/devices.h"
#include "host/train/settings.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct ProfileOptions {
  std::string model = "lenet5";
  std::string data = "synthetic";
  int batch = 64;
  int steps = 100;
  DeviceRequest device;
};

int run_profile(const ProfileOptions& options) {
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
  const Breakdown breakdown = measure_breakdown(*engine, data.train->count(), options.steps);
  std::printf("%s | batch %d | %s\n\n%s", model.name.c_str(), options.batch,
              engine->description().c_str(), breakdown_table(breakdown).c_str());
  return 0;
}

}  // namespace

Command add_profile(CLI::App& app) {
  CLI::App* sub =
      app.add_subcommand("profile", "Where the time of a training step goes, by phases");
  auto options = std::make_shared<ProfileOptions>();
  add_model(*sub, options->model)->capture_default_str();
  sub->add_option("--batch", options->batch, "Images a step")->capture_default_str();
  sub->add_option("--steps", options->steps, "Steps to time, at most an epoch's")
      ->capture_default_str();
  add_data(*sub, options->data)
      ->description("As for train; the images do not change the time")
      ->capture_default_str();
  add_device(*sub, options->device);
  sub->footer(
      "By layer and direction: of the threads' time, or a stream's; of a GPU's fused step\n"
      "(--device cuda --step fused) in clocks, the median of all blocks, and of each step's\n"
      "slowest one.");
  return {sub, [options] { return run_profile(*options); }};
}

}  // namespace digitron
