// digitron bench
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "host/bench/axes.h"
#include "host/bench/bench_export.h"
#include "host/bench/bench_table.h"
#include "host/bench/repeats.h"
#include "host/bench/row_processes.h"
#include "host/core/error.h"
#include "host/files/atomic_file.h"
#include "host/files/environment.h"
#include "host/text/progress.h"
#include "host/train/interrupt.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct BenchOptions {
  BenchRequest request;
  bool markdown = false;
  std::string json, csv, google_benchmark;  // files
  TimeToOptions time_to;
  AgainstOptions against;
  // Of a process that measures one row for another.
  std::optional<size_t> only_row;
  std::optional<double> started;
  std::string row_file;
  std::string my_turn, your_turn;  // pipes
  bool samples_only = false;
};

void write_files(const BenchOptions& options, const BenchReport& report) {
  if (!options.json.empty()) write_file_atomically(options.json, bench_file(report));
  if (!options.csv.empty()) write_file_atomically(options.csv, bench_csv(report));
  if (!options.google_benchmark.empty()) {
    write_file_atomically(options.google_benchmark, google_benchmark_json(report).dump(1) + '\n');
  }
}

int measure_only_row(const BenchOptions& options) {
  const std::vector<RowRequest> rows = rows_of(options.request);
  const size_t index = *options.only_row;
  if (index >= rows.size()) {
    throw InputError(
        fmt::format("{} is {}, but there are {} rows; leave it out", kOnlyRow, index, rows.size()));
  }
  RowRequest wanted = rows[index];
  if (options.samples_only) wanted.breakdown = wanted.roofline = false;
  std::optional<Turns> turns;
  if (!options.my_turn.empty()) turns = take_part(options.my_turn, options.your_turn);
  const BenchRow row =
      measure_row(wanted, options.request.data, options.request.sampling, options.started, turns);
  write_file_atomically(options.row_file, row_file_json(row).dump());
  return 0;
}

// Measuring takes long: a file that cannot be written is better known before. Writing replaces the
// file that is there, which must not happen to /dev/stdout.
void check_files(const BenchOptions& options) {
  for (const std::string& file : {options.json, options.csv, options.google_benchmark}) {
    if (file.empty()) continue;
    const std::filesystem::file_status status = std::filesystem::symlink_status(file);
    if (exists(status) && !is_regular_file(status)) {
      throw InputError("cannot write " + file + ": it is no plain file; give another name");
    }
    const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
    if (access(folder.c_str(), W_OK) == 0) continue;
    throw InputError(fmt::format("cannot write {}: {}: {}; give another place", file,
                                 folder.string(), std::strerror(errno)));
  }
}

int run_bench(const BenchOptions& options) {
  if (options.only_row) return measure_only_row(options);
  check_files(options);
  const BenchRequest& request = options.request;
  if (options.time_to.accuracy) return run_time_to(options.time_to, request, options.json);
  if (!options.against.program.empty()) {
    return run_against(options.against, request, options.json, options.markdown);
  }
  const std::vector<RowRequest> rows = rows_of(request);
  BenchReport report{request.command, utc_now(), {}};
  const size_t all = rows.size() * static_cast<size_t>(request.repeat);
  // One process alone has nothing to tidy up, and ends at once.
  const std::atomic<bool> never = false;
  const std::atomic<bool>& stop = request.repeat > 1 ? stop_on_signals() : never;
  {
    ProgressLine line;
    report.rows = measure_rows(
        request, rows, std::filesystem::read_symlink("/proc/self/exe").string(), stop,
        [&](size_t done, const RowRequest& next) {
          line.show(fmt::format("{} of {}: {}, batch {}, {}", done + 1, all, next.model.name,
                                next.settings.batch, to_text(next.work)));
        });
  }
  if (stop) return kInterruptedExitCode;
  print_text((options.markdown ? bench_markdown : bench_table)(report.rows));
  write_files(options, report);
  return 0;
}

// Values with commas between them, or the option several times.
template <class T>
CLI::Option* add_axis(CLI::App& app, const char* name, std::vector<T>& values, const char* help) {
  CLI::Option* option = app.add_option(name, values, help);
  if constexpr (std::is_arithmetic_v<T>) option->transform(number<T>());
  return option->delimiter(',')
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("LIST")
      ->capture_default_str();
}

void add_axes(CLI::App& app, BenchRequest& request) {
  app.option_defaults()->group("Axes: a row for every choice of one from each");
  add_models(app, request.models);
  add_axis(app, "--batch", request.batches, "Images a step");
  add_axis(app, "--work", request.works,
           "train (a step), evaluate (the held-out set, once for all batches), predict (a batch)");
  add_axis(app, "--threads", request.threads, kThreadsHelp)
      ->transform(thread_count())
      ->default_str("auto");
  add_axis(app, "--mode", request.modes,
           "On a GPU: graph (steps are recorded and replayed), eager (call by call)");
  add_axis(app, "--step", request.steps, "On a GPU: auto, layers, fused, as of train");
}

void add_sampling(CLI::App& app, BenchRequest& request) {
  app.option_defaults()->group("Measuring");
  SamplerSettings& sampling = request.sampling;
  const auto add = [&app](const char* name, double& value, const char* type, const char* help) {
    app.add_option(name, value, help)
        ->transform(number<double>())
        ->type_name(type)
        ->capture_default_str();
  };
  add("--max-noise", sampling.max_noise, "PERCENT",
      "Enough when the standard error of the median is no more than this");
  add("--min-time", sampling.min_time, "SECONDS", "Samples must sum to this");
  add("--timeout", sampling.timeout, "SECONDS", "Stop then in any case, and say what was missed");
  add("--warmup", sampling.warmup, "SECONDS", "Before the samples");
  app.add_option("--repeat", request.repeat,
                 "Fresh processes for each row, all rows in turn; 1: this process measures all")
      ->transform(number<int>())
      ->capture_default_str();
}

void add_closer_looks(CLI::App& app, BenchRequest& request) {
  app.option_defaults()->group("A training step from within");
  app.add_flag("--breakdown", request.breakdown,
               "Tell where its time goes, by layer and direction");
  app.add_flag("--roofline", request.roofline,
               "Measure what the device can do at most, and tell how near the step comes to it");
  app.add_option(
         "--profile-steps", request.capture,
         "Let profilers that wait for it (nsys, ncu) capture steps A to B, counted from 1;\n"
         "of one row, with --repeat 1")
      ->type_name("A:B");
}

void add_formats(CLI::App& app, BenchOptions& options) {
  app.option_defaults()->group("Output");
  app.add_flag("--markdown", options.markdown, "Print Markdown");
  app.add_option("--json", options.json, "Write all samples, and all there is to know of them")
      ->type_name("FILE");
  app.add_option("--csv", options.csv, "Write a line a row")->type_name("FILE");
  app.add_option("--google-benchmark", options.google_benchmark,
                 "Write Google Benchmark's JSON, for its compare.py")
      ->type_name("FILE");
}

// Not for people.
void add_only_row(CLI::App& app, BenchOptions& options) {
  app.option_defaults()->group("");
  app.add_option(kOnlyRow, options.only_row);
  app.add_option(kStarted, options.started);
  app.add_option(kRowFile, options.row_file);
  app.add_flag(kSamplesOnly, options.samples_only);
  app.add_option(kMyTurn, options.my_turn);
  app.add_option(kYourTurn, options.your_turn);
}

}  // namespace

Command add_bench(CLI::App& app, std::vector<std::string> command_line) {
  CLI::App* sub = app.add_subcommand("bench", "Time of steps: percentiles, noise, spread, rates");
  auto options = std::make_shared<BenchOptions>();
  BenchRequest& request = options->request;
  request.command = std::move(command_line);
  add_data(*sub, request.data)
      ->description("As for train; the images do not change the time")
      ->capture_default_str();
  add_device_name(*sub, request.device.device);
  add_axes(*sub, request);
  add_sampling(*sub, request);
  add_closer_looks(*sub, request);
  add_formats(*sub, *options);
  add_only_row(*sub, *options);
  add_cuda(*sub, request.device.cuda);
  add_settings(*sub, request.settings, request.dropout, changes_step);
  add_time_to(*sub, options->time_to);
  add_against(*sub, options->against);
  return {sub, [options] { return run_bench(*options); }};
}

}  // namespace digitron
