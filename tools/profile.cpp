// digitron profile
#include "host/bench/profile.h"

#include <cstdio>
#include <memory>

#include "host/bench/set_up.h"
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
  const Model model = find_model(options.model);
  const SetUp ready = set_up(model, {.batch = options.batch}, options.device, options.data);
  const Profile profile = measure_phases(*ready.engine, ready.data.train->count(), options.steps);
  std::printf("%s | batch %d | %s\n\n%s", model.name.c_str(), options.batch,
              ready.engine->description().c_str(), profile_table(profile).c_str());
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
      "The fused step of a GPU tells its phases (--device cuda --step fused): the median of all\n"
      "blocks, and of each step's slowest one.");
  return {sub, [options] { return run_profile(*options); }};
}

}  // namespace digitron
