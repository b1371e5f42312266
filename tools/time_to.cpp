// digitron bench --time-to
#include "host/bench/time_to.h"

#include <cstdio>

#include "host/files/atomic_file.h"
#include "host/files/json.h"
#include "host/sweep/sweep.h"
#include "tools/commands.h"

namespace digitron {

void add_time_to(CLI::App& bench, TimeToOptions& options) {
  const char* group = "Time to accuracy";
  CLI::Option* time_to =
      bench
          .add_option("--time-to", options.accuracy,
                      "Train until the test set, read after each epoch, shows this accuracy, and\n"
                      "time it all from the first byte of the data on; 0.99 for 99 %. Trains\n"
                      "mnist-99 unless told otherwise; options of train apply")
          ->type_name("ACCURACY")
          ->group(group);
  bench.add_option("--seeds", options.seeds, "One training each: numbers and ranges, as in 1-5,9")
      ->needs(time_to)
      ->type_name("LIST")
      ->capture_default_str()
      ->group(group);
  for (const char* option : {"--steps", "--samples", "--warmup-samples"}) {
    bench.get_option(option)->excludes(time_to);
  }
}

int run_time_to(const TimeToOptions& options, const SessionRequest& session,
                const std::string& json) {
  const TimeToReport report = run_time_to({*options.accuracy, parse_seeds(options.seeds), session});
  std::puts(time_to_text(report).c_str());
  if (!json.empty()) write_file_atomically(json, time_to_json(report).dump(1) + '\n');
  return 0;
}

}  // namespace digitron
