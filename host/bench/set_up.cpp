#include "host/bench/set_up.h"

#include "host/bench/sampler.h"

namespace digitron {

SetUp set_up(const Model& model, const TrainSettings& settings, const DeviceRequest& device,
             const std::string& data) {
  check_settings(settings);
  const double start = steady_seconds();
  const std::jthread starting = start_device(device);
  SetUp made{load_data(data), nullptr, {}, 0, 0};
  check_counts(settings, made.data.train->count());
  const Plan plan = make_plan(with_task(model, made.data.task), settings.batch);
  require_trainable(plan, made.data.train->count());

  const double read = steady_seconds();
  MadeEngine engine = make_engine(device, plan);
  made.engine = std::move(engine.engine);
  made.ceilings = std::move(engine.ceilings);
  const double opened = steady_seconds();
  made.engine->load(made.data.train, made.data.test);
  made.engine->set_state(State::kParameters, initial_parameters(plan, settings.seed));
  made.engine->configure(training_of(settings));
  made.data_seconds = read - start + steady_seconds() - opened;
  made.module_seconds = opened - read;
  return made;
}

}  // namespace digitron
