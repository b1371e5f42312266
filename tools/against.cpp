// digitron bench --against
#include "host/bench/against.h"

#include <spdlog/fmt/fmt.h>

#include <filesystem>

#include "host/bench/bench_json.h"
#include "host/core/error.h"
#include "host/files/atomic_file.h"
#include "host/files/environment.h"
#include "host/text/progress.h"
#include "host/train/interrupt.h"
#include "tools/commands.h"

namespace digitron {

namespace {

// The request with what suits pairs wherever the user did not say.
BenchRequest request_of_pairs(const AgainstOptions& options, const BenchRequest& request) {
  BenchRequest pairs = request;
  const auto set = [&](const char* option, auto& value, auto other) {
    if (options.bench->count(option) == 0) value = other;
  };
  set("--repeat", pairs.repeat, kPairs);
  set("--warmup", pairs.sampling.warmup, kPairWarmup);
  set("--min-time", pairs.sampling.min_time, kPairMinTime);
  pairs.sampling.timeout = kMostSeconds;
  return pairs;
}

}  // namespace

void add_against(CLI::App& bench, AgainstOptions& options) {
  options.bench = &bench;
  bench.option_defaults()->group("Against another build");
  CLI::Option* against =
      bench
          .add_option(
              "--against", options.program,
              fmt::format(
                  "Is this program slower or faster than PROGRAM, another build "
                  "of digitron\nthat has --against? Each repeat measures a row with the old one, "
                  "PROGRAM, and with this one, the new,\nin two processes that "
                  "take turns of 0.02 s on the same CPUs; a rank test of these\n"
                  "pairs decides. Unless given: --repeat {} --warmup {} "
                  "--min-time {}",
                  kPairs, kPairWarmup, kPairMinTime))
          ->check(CLI::ExistingFile)
          ->type_name("PROGRAM");
  for (CLI::Option* option : add_margins(bench, options.settings)) option->needs(against);
  for (const char* option : {"--csv", "--google-benchmark", "--breakdown", "--roofline",
                             "--profile-steps", "--time-to", "--max-noise", "--timeout"}) {
    against->excludes(bench.get_option(option));
  }
}

int run_against(const AgainstOptions& options, const BenchRequest& asked, const std::string& json,
                bool markdown) {
  check_settings(options.settings);
  const BenchRequest request = request_of_pairs(options, asked);
  const std::vector<RowRequest> rows = rows_of(request);
  const size_t fewest = repeats_needed(rows.size(), true);
  if (static_cast<size_t>(request.repeat) < fewest) {
    throw InputError(
        fmt::format("--repeat is {}, and so few pairs can show nothing; give {} or more",
                    request.repeat, fewest));
  }
  const std::string old_program = require_digitron(options.program);
  const size_t all = rows.size() * static_cast<size_t>(request.repeat);
  CompareSettings settings = options.settings;
  settings.paired = true;
  BenchReport report{request.command, utc_now(), {}, {}};
  std::optional<Contest> contest;
  {
    ProgressLine line;
    contest = measure_against(
        request, rows, old_program, std::filesystem::read_symlink("/proc/self/exe").string(),
        settings, stop_on_signals(), [&](size_t done, const RowRequest& next) {
          line.show(fmt::format("pair {} of {}: {}, batch {}, {}", done + 1, all, next.model.name,
                                next.settings.batch, to_text(next.work)));
        });
  }
  if (!contest) return kInterruptedExitCode;
  print_text(against_text(*contest, markdown));
  if (!json.empty()) {
    report.rows = contest->new_one.rows;
    report.against = against_json(*contest);
    write_file_atomically(json, bench_file(report));
  }
  return contest->comparison.fails() ? kSlowerExitCode : 0;
}

}  // namespace digitron
