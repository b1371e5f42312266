// digitron compare
#include "host/bench/compare.h"

#include <memory>

#include "host/files/atomic_file.h"
#include "host/files/json.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct CompareOptions {
  std::string old_file;
  std::string new_file;
  std::string json;
  bool markdown = false;
  CompareSettings settings;
};

int run_compare(const CompareOptions& options) {
  check_settings(options.settings);
  const BenchFile old_file = read_bench_file(options.old_file);
  const BenchFile new_file = read_bench_file(options.new_file);
  const Comparison comparison = compare(old_file, new_file, options.settings);
  print_text(comparison_text(old_file, new_file, comparison, options.markdown));
  if (!options.json.empty()) {
    write_file_atomically(options.json,
                          comparison_json(old_file, new_file, comparison).dump(1) + '\n');
  }
  return comparison.fails() ? kSlowerExitCode : 0;
}

}  // namespace

std::vector<CLI::Option*> add_margins(CLI::App& app, CompareSettings& settings) {
  return {app.add_option("--margin", settings.margin, "Percent; a difference within it is none")
              ->transform(number<double>())
              ->capture_default_str(),
          app.add_option("--fail-slower", settings.fail_slower,
                         "Percent; with a row slower by more, the exit code is 3")
              ->transform(number<double>())
              ->capture_default_str()};
}

Command add_compare(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("compare", "Two benches: which rows are slower, or faster?");
  auto options = std::make_shared<CompareOptions>();
  sub->add_option("OLD", options->old_file, "What bench --json has written")
      ->required()
      ->type_name("FILE");
  sub->add_option("NEW", options->new_file, "The same, to compare with it")
      ->required()
      ->type_name("FILE");
  CompareSettings& settings = options->settings;
  add_margins(*sub, settings);
  sub->add_flag("--across", settings.across, "Compare unlike machines too");
  sub->add_flag("--trust", settings.trust,
                "Count the repeats on a machine that was not quiet, too");
  sub->add_flag("--markdown", options->markdown, "Print Markdown");
  sub->add_option("--json", options->json, "Write every figure to this file")->type_name("FILE");
  sub->footer(
      "Exit codes: 3 for a row that is slower by more than --fail-slower, otherwise 0;\n"
      "2 for files that cannot be compared, 1 for the machine.");
  return {sub, [options] { return run_compare(*options); }};
}

}  // namespace digitron
