#include "host/bench/bench.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "host/bench/set_up.h"
#include "host/files/environment.h"
#include "host/machine/quiet.h"
#include "host/text/statistics.h"
#include "host/train/settings_json.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// A call of an engine that tells every step's time takes so long, so that it is many steps, and the
// clock is looked at often.
constexpr double kCallSeconds = 0.01;

// A breakdown looks at steps for so long, and at no more than so many.
constexpr double kBreakdownSeconds = 0.2;
constexpr double kMostBreakdownSteps = 300;

// The way that a step on a GPU goes; nothing for an engine on the CPU.
std::optional<std::string> step_way(const std::vector<Detail>& details) {
  for (const auto& [group, name, value] : details) {
    if (group == "step" && name == "way") return std::get<std::string>(value);
  }
  return std::nullopt;
}

ordered_json step_settings(const TrainSettings& settings) {
  ordered_json changed = changed_settings_json(settings);
  ordered_json json = ordered_json::object();
  for (const auto& [name, value] : changed.items()) {
    for (const Setting& setting : all_settings()) {
      if (setting.name == name && changes_step(setting)) json[name] = value;
    }
  }
  return json;
}

int64_t flops_of(const Plan& plan, Work work, int images) {
  if (work == Work::kTrain) return plan.flops_forward + plan.flops_backward;
  return plan.flops_forward / plan.batch * images * plan.model.views;
}

// All of a row but its repeats.
BenchRow describe_row(const RowRequest& request, const SetUp& ready) {
  const Plan& plan = ready.engine->plan();
  const EngineDescription engine = ready.engine->describe();
  BenchRow row;
  row.model = plan.model.id;
  row.name = plan.model.name;
  row.text = to_text(plan.model);
  row.work = request.work;
  row.images = request.work == Work::kEvaluate ? ready.data.test->count() : plan.batch;
  row.device = engine.line;
  row.precision = engine.precision;
  row.step = step_way(engine.details);
  if (row.step) {
    const CudaOptions& cuda = request.device.cuda;
    row.mode = cuda.graph ? "graph" : "eager";
    const int epoch_steps = ready.data.train->count() / plan.batch;
    if (request.work == Work::kTrain && cuda.graph)
      row.steps_per_sample = std::min(cuda.steps_per_graph, epoch_steps);
  } else {
    row.threads = request.device.device == "reference" ? 1 : request.device.threads;
  }
  if (!engine.details.empty()) row.details = details_json(engine.details);
  row.settings = step_settings(request.settings);
  row.flops = flops_of(plan, request.work, row.images);
  return row;
}

// The work of a row as calls, the first of them of one step.
std::function<Call()> calls_of(const BenchRow& row, const SetUp& ready, TrainingCalls& training) {
  Engine& engine = *ready.engine;
  if (row.work == Work::kEvaluate) return [&engine] { return evaluate_once(engine); };
  if (row.work == Work::kPredict) {
    const std::vector<uint8_t>& images = ready.data.train->images;
    const size_t bytes = static_cast<size_t>(row.images) * engine.plan().pixels();
    return
        [&engine, batch = std::span(images).first(bytes)] { return predict_once(engine, batch); };
  }
  if (row.step) {
    return [&training, steps = 1, next = row.steps_per_sample]() mutable {
      return training.take(std::exchange(steps, next));
    };
  }
  return [&training, steps = 1]() mutable {
    Call call = training.take(steps);
    const double wanted = kCallSeconds / median_of(call.seconds);
    steps = std::max(1, static_cast<int>(std::min<double>(wanted, 2 * steps)));
    return call;
  };
}

// What else is asked for, after the samples are taken.
void look_closer(BenchRow& row, const RowRequest& request, const SetUp& ready) {
  const double step_seconds = summarize(row).p50;
  if (request.roofline) {
    const StepWork work = step_work(ready.engine->plan(), ready.engine->training().optimizer);
    row.roofline = Roofline{work, step_seconds, ready.ceilings()};
  }
  if (request.breakdown) {
    const double steps = std::min(kBreakdownSeconds / step_seconds, kMostBreakdownSteps);
    row.breakdown = measure_breakdown(*ready.engine, ready.data.train->count(),
                                      std::max(1, static_cast<int>(steps)));
  }
}

}  // namespace

std::vector<std::string> Repeat::warnings() const {
  if (quiet.is_null()) return {};
  return quiet.value("warnings", std::vector<std::string>());
}

std::string threads_text(const BenchRow& row) {
  if (!row.threads) return "";
  if (*row.threads != kAutoThreads) return std::to_string(*row.threads);
  std::vector<int> counts;
  for (const Repeat& repeat : row.repeats) counts.push_back(repeat.threads.value_or(1));
  const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
  return *least == *most ? fmt::format("auto: {}", *most)
                         : fmt::format("auto: {} to {}", *least, *most);
}

BenchRow measure_row(const RowRequest& request, const std::string& data,
                     const SamplerSettings& sampling, std::optional<double> started,
                     const std::optional<Turns>& turns) {
  Repeat repeat;
  ColdStart& cold = repeat.cold_start;
  if (started) cold.process = steady_seconds() - *started;
  const SetUp ready = set_up(request.model, request.settings, request.device, data);
  cold.data = ready.data_seconds;
  cold.module = ready.module_seconds;

  BenchRow row = describe_row(request, ready);
  TrainingCalls training(*ready.engine, ready.data.train->count(), request.settings.lr);
  if (request.capture) training.capture(*request.capture);
  const std::function<Call()> call = calls_of(row, ready, training);
  cold.first_step = call().host_seconds;
  std::optional<Call> second;
  if (row.steps_per_sample > 1) second = call();
  QuietWatch watch({.gpu_uuid = gpu_uuid(ready.engine->describe().details)});
  repeat.samples = turns ? take_slices(call, sampling, *turns)
                         : take_samples(call, sampling, [&watch] { return watch.disturbed(); });
  if (row.threads == kAutoThreads) repeat.threads = ready.engine->describe().threads;
  const int threads = repeat.threads.value_or(row.threads.value_or(0));
  if (!turns) repeat.quiet = watch.finish(threads).json();
  if (second) {
    const double later = median_of(repeat.samples.host_seconds) * row.steps_per_sample;
    cold.recording = std::max(0.0, second->host_seconds - later);
  }
  while (!training.captured()) call();
  row.repeats.push_back(std::move(repeat));
  look_closer(row, request, ready);
  return row;
}

Summary summarize(const BenchRow& row) {
  std::vector<double> p10, p50, p90, p99, host;
  Summary summary;
  for (const Repeat& repeat : row.repeats) {
    std::vector<double> sorted = repeat.samples.seconds;
    std::sort(sorted.begin(), sorted.end());
    p10.push_back(percentile(sorted, 10));
    p50.push_back(percentile(sorted, 50));
    p90.push_back(percentile(sorted, 90));
    p99.push_back(percentile(sorted, 99));
    host.push_back(median_of(repeat.samples.host_seconds));
    summary.max = std::max(summary.max, sorted.back());
    summary.noise = std::max(summary.noise, noise(repeat.samples.seconds));
  }
  const Statistics medians = *statistics(p50);
  if (medians.count > 1) summary.between = medians.deviation / medians.mean;
  summary.p10 = median_of(p10);
  summary.p50 = median_of(p50);
  summary.p90 = median_of(p90);
  summary.p99 = median_of(p99);
  summary.host = median_of(host);
  summary.images_per_second = row.images / summary.p50;
  summary.gflops_per_second = 1e-9 * static_cast<double>(row.flops) / summary.p50;
  return summary;
}

}  // namespace digitron
