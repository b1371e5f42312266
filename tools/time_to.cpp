// digitron bench --time-to
#include "host/bench/time_to.h"

#include <spdlog/fmt/fmt.h>

#include <set>

#include "host/bench/axes.h"
#include "host/core/error.h"
#include "host/files/atomic_file.h"
#include "host/sweep/sweep.h"
#include "tools/commands.h"

namespace digitron {

namespace {

// Of training's settings those that bench does not have for its steps; --warmup it has in seconds.
bool is_of_time_to(const Setting& setting) {
  const std::set<std::string> left_out{"batch", "warmup", "patience", "log_steps"};
  return !changes_step(setting) && !left_out.contains(setting.name);
}

template <class T>
const T& only(const char* option, const std::vector<T>& values) {
  if (values.size() == 1) return values.front();
  throw InputError(
      fmt::format("{} has {} values, but --time-to takes one; give one", option, values.size()));
}

// What the user did not give is left to the model's recipe and to the search for data.
SessionRequest session_of(const TimeToOptions& options, const BenchRequest& request) {
  const auto given = [&](const char* option) { return options.bench->count(option) > 0; };
  SessionRequest session;
  session.command = request.command;
  if (given("--model")) session.model = only("--model", request.models);
  if (given("--data")) session.data = request.data;
  session.dropout = request.dropout;
  session.device = request.device;
  session.device.threads = only("--threads", request.threads);
  session.device.cuda.graph = only("--mode", request.modes) == "graph";
  session.device.cuda.step = step_kind(only("--step", request.steps));
  session.settings = request.settings;
  session.settings.update(options.settings);
  if (given("--batch")) session.settings["batch"] = only("--batch", request.batches);
  return session;
}

}  // namespace

void add_time_to(CLI::App& bench, TimeToOptions& options) {
  options.bench = &bench;
  bench.option_defaults()->group("Time to accuracy");
  CLI::Option* time_to =
      bench
          .add_option("--time-to", options.accuracy,
                      "Train until the test set, read after each epoch, shows this accuracy, and\n"
                      "time it all from the first byte of the data on; 0.99 for 99 %. Trains\n"
                      "mnist-99 on MNIST unless told otherwise; options of train apply")
          ->transform(number<double>())
          ->type_name("ACCURACY");
  bench.add_option("--seeds", options.seeds, "One training each: numbers and ranges, as in 1-5,9")
      ->needs(time_to)
      ->type_name("LIST")
      ->capture_default_str();
  std::optional<double> no_dropout;  // bench has --dropout already
  add_settings(bench, options.settings, no_dropout, is_of_time_to);
  for (const Setting& setting : all_settings()) {
    if (is_of_time_to(setting)) bench.get_option(setting.option())->needs(time_to);
  }
  for (const char* option : {"--work", "--max-noise", "--min-time", "--timeout", "--warmup",
                             "--repeat", "--markdown", "--csv", "--google-benchmark"}) {
    time_to->excludes(bench.get_option(option));
  }
}

int run_time_to(const TimeToOptions& options, const BenchRequest& request,
                const std::string& json) {
  const TimeToReport report =
      run_time_to({*options.accuracy, parse_seeds(options.seeds), session_of(options, request)});
  print_text(time_to_text(report) + '\n');
  if (!json.empty()) write_file_atomically(json, time_to_json(report).dump(1) + '\n');
  return 0;
}

}  // namespace digitron
