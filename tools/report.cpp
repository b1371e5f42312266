// digitron report
#include "host/report/report.h"

#include <spdlog/fmt/fmt.h>

#include <memory>

#include "tools/commands.h"

namespace digitron {

namespace {

int report(const ReportRequest& request) {
  const Report result = write_report(request);
  const std::string text = fmt::format("{}\nReport: {} (and {})\n", result.verdict,
                                       result.html.string(), result.markdown.string());
  print_text(text);
  return 0;
}

}  // namespace

Command add_report(CLI::App& app) {
  CLI::App* sub =
      app.add_subcommand("report", "Runs as one page: which model is better, and what helps");
  auto request = std::make_shared<ReportRequest>();
  request->out = "runs/report";
  sub->add_option("RUN", request->runs, "Directories that train has written")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("DIR");
  sub->add_option("--sweep", request->sweep,
                  "What digitron sweep has written, or its sweep.json: which techniques help")
      ->type_name("DIR");
  sub->add_option("--out", request->out, "For report.html and report.md")
      ->type_name("DIR")
      ->capture_default_str();
  add_data(*sub, request->data)->description("The runs' data set. Default: where each run had it");
  return {sub, [request] { return report(*request); }};
}

}  // namespace digitron
