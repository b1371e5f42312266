#include "host/bench/time_to.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

#include "host/core/error.h"
#include "host/data/data.h"
#include "host/data/validation.h"
#include "host/files/json.h"
#include "host/files/model_state.h"
#include "host/train/schedule.h"
#include "host/train/settings_json.h"

namespace digitron {

namespace {

// The seconds since the lap before, so that a run's parts leave nothing out.
class Laps {
 public:
  double lap() {
    const Clock::time_point now = Clock::now();
    return std::chrono::duration<double>(now - std::exchange(at_, now)).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point at_ = Clock::now();
};

void check_time_to(const TimeToRequest& request, const TrainSettings& settings) {
  if (!(request.accuracy > 0 && request.accuracy <= 1)) {
    throw InputError(fmt::format("--time-to is {}; give an accuracy above 0, up to 1, such as 0.99",
                                 request.accuracy));
  }
  if (request.session.settings.contains("seed")) {
    throw InputError("--seed does not go with --time-to, which trains with many; give --seeds");
  }
  if (settings.patience || settings.log_steps) {
    throw InputError(fmt::format("{} does not go with --time-to, which {}; leave it out",
                                 settings.patience ? "--patience" : "--log-steps",
                                 settings.patience ? "has a stop of its own" : "writes no log"));
  }
  check_settings(settings);
}

// The report without its runs.
TimeToReport start_report(const TimeToRequest& request) {
  const SessionRequest& session = request.session;
  TimeToReport report;
  report.command = session.command;
  report.accuracy = request.accuracy;
  const std::string model = session.model.empty() ? "mnist-99" : session.model;
  report.settings = settings_from_json(session.settings, recipe_of(model_id(model).value_or("")));
  check_time_to(request, report.settings);

  start_device(session.device);  // and waits until it has started
  report.data = load_data(session.data);
  report.model = find_model(model, report.data.task);
  if (session.dropout) report.model = with_dropout(report.model, *session.dropout);
  const int train_count = report.data.train->count();
  check_counts(report.settings, train_count);
  const Plan plan = make_plan(report.model, report.settings.batch);
  require_trainable(plan, train_count - report.settings.validation);
  report.device = make_engine(session.device, plan).engine->describe();
  report.data.train = report.data.test = nullptr;
  return report;
}

TimedRun time_run(const TimeToReport& report, const DeviceRequest& device, uint64_t seed) {
  TrainSettings settings = report.settings;
  settings.seed = seed;
  RunSeconds before;
  Laps laps;
  const Data data = load_data(report.data.source);
  const auto [train, validation] = split_validation(data.train, settings.validation);
  before.data = laps.lap();

  const Plan plan = make_plan(report.model, settings.batch);
  const std::unique_ptr<Engine> engine = make_engine(device, plan).engine;
  engine->load(train, validation ? validation : data.test);
  const ModelState initial = initial_state(plan, seed);
  engine->set_state(State::kParameters, initial.parameters);
  engine->set_state(State::kRunningStatistics, initial.buffers);
  engine->configure(training_of(settings));
  before.start = laps.lap();

  TimedRun run = train_to(*engine, settings, train->count(), report.accuracy);
  run.seed = seed;
  run.seconds.data = before.data;
  run.seconds.start = before.start;
  return run;
}

}  // namespace

TimedRun train_to(Engine& engine, const TrainSettings& settings, int train_count, double accuracy) {
  const int epoch_steps = steps_per_epoch(train_count, engine.plan().batch);
  const int64_t all =
      std::min(int64_t{settings.epochs} * epoch_steps, settings.max_steps.value_or(INT64_MAX));
  TimedRun run;
  Laps laps;
  while (!run.reached && run.steps < all) {
    ++run.epochs;
    const auto steps = static_cast<int>(std::min<int64_t>(epoch_steps, all - run.steps));
    engine.train(run.epochs, 0, epoch_rates(settings, run.epochs, 0, steps, epoch_steps));
    run.steps += steps;
    run.seconds.training += laps.lap();
    run.held_out = engine.evaluate(Split::kHeldOut);
    run.seconds.evaluation += laps.lap();
    if (!std::isfinite(run.held_out.loss())) break;
    run.reached = run.held_out.accuracy() >= accuracy;
  }
  return run;
}

TimeToReport run_time_to(const TimeToRequest& request) {
  TimeToReport report = start_report(request);
  spdlog::info("{} | {} | {}, {}", report.model.name, report.data.description, report.device.line,
               report.device.precision);
  for (const uint64_t seed : request.seeds) {
    report.runs.push_back(time_run(report, request.session.device, seed));
    const TimedRun& run = report.runs.back();
    spdlog::info("Seed {}: {:.2f}% after {} steps, {:.3f} s{}", run.seed,
                 100 * run.held_out.accuracy(), run.steps, run.seconds.total(),
                 run.reached ? "" : ", missed");
  }
  return report;
}

}  // namespace digitron
