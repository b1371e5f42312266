// What is told of times to accuracy.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <numeric>

#include "host/bench/time_to.h"
#include "host/files/environment.h"
#include "host/files/json.h"
#include "host/machine/build.h"
#include "host/machine/machine.h"
#include "host/train/settings_json.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

const char* held_out_name(const TimeToReport& report) {
  return report.settings.validation > 0 ? "validation" : "test";
}

ordered_json run_json(const TimedRun& run) {
  return {{"seed", run.seed},
          {"reached", run.reached},
          {"seconds", run.seconds.total()},
          {"data_seconds", run.seconds.data},
          {"start_seconds", run.seconds.start},
          {"training_seconds", run.seconds.training},
          {"evaluation_seconds", run.seconds.evaluation},
          {"epochs", run.epochs},
          {"steps", run.steps},
          {"loss", run.held_out.loss()},
          {"accuracy", run.held_out.accuracy()}};
}

ordered_json summary_json(const TimeToReport& report) {
  const TimeToSummary summary = summary_of(report.runs);
  ordered_json json{{"mean_seconds", summary.mean}, {"median_seconds", summary.median}};
  json["olympic_mean_seconds"] =
      summary.olympic_mean ? ordered_json(*summary.olympic_mean) : ordered_json();
  json["mean_training_seconds"] = summary.mean_training;
  json["misses"] = summary.misses;
  json["mean_accuracy"] = summary.accuracy.mean;
  json["accuracy_deviation"] = summary.accuracy.deviation;
  return json;
}

}  // namespace

TimeToSummary summary_of(std::span<const TimedRun> runs) {
  std::vector<double> seconds;
  std::vector<double> training;
  std::vector<double> accuracy;
  TimeToSummary summary;
  for (const TimedRun& run : runs) {
    seconds.push_back(run.seconds.total());
    training.push_back(run.seconds.training);
    accuracy.push_back(run.held_out.accuracy());
    if (!run.reached) ++summary.misses;
  }
  std::sort(seconds.begin(), seconds.end());
  const size_t count = seconds.size();
  summary.mean = mean_of(seconds);
  summary.median = (seconds[(count - 1) / 2] + seconds[count / 2]) / 2;
  if (count > 2) summary.olympic_mean = mean_of(std::span(seconds).subspan(1, count - 2));
  summary.mean_training = mean_of(training);
  summary.accuracy = statistics(accuracy).value();
  return summary;
}

std::string time_to_text(const TimeToReport& report) {
  const TimeToSummary summary = summary_of(report.runs);
  const std::string olympic =
      summary.olympic_mean ? fmt::format(", olympic mean {:.3f} s", *summary.olympic_mean) : "";
  return fmt::format(
      "Time to {:g}%: mean {:.3f} s, median {:.3f} s{}; {:.3f} s of the mean is training\n"
      "{} accuracy: mean {:.3f}%, standard deviation {:.3f}, of {} seeds; {} missed",
      100 * report.accuracy, summary.mean, summary.median, olympic, summary.mean_training,
      report.settings.validation > 0 ? "Validation" : "Test", 100 * summary.accuracy.mean,
      100 * summary.accuracy.deviation, report.runs.size(), summary.misses);
}

ordered_json time_to_json(const TimeToReport& report) {
  ordered_json json;
  json["schema"] = "digitron-time-to/1";
  json["build"] = build_json();
  json["machine"] = machine_json();
  json["command"] = report.command;
  json["date"] = utc_now();
  json["target"] = report.accuracy;
  json["model"] = report.model.id;
  json["text"] = to_text(report.model);
  json["device"] = report.device.line;
  json["precision"] = report.device.precision;
  const ordered_json details = details_json(report.device.details);
  if (!details.empty()) json["details"] = details;
  json["data"] = {{"source", report.data.source},
                  {"description", report.data.description},
                  {"is_mnist", report.data.is_mnist()},
                  {"train_images_sha256", report.data.sha256}};
  json["evaluated_on"] = held_out_name(report);
  json["settings"] = settings_json(report.settings);
  json["settings"].erase("seed");
  json["runs"] = ordered_json::array();
  for (const TimedRun& run : report.runs) json["runs"].push_back(run_json(run));
  json["summary"] = summary_json(report);
  return json;
}

}  // namespace digitron
