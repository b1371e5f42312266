#include "host/bench/axes.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "host/core/error.h"
#include "host/train/settings_json.h"

namespace digitron {

namespace {

template <class T>
void refuse_twice(const char* option, const std::vector<T>& values) {
  for (auto value = values.begin(); value != values.end(); ++value) {
    if (std::find(values.begin(), value, *value) == value) continue;
    throw InputError(fmt::format("{} names {} twice; leave one out", option, *value));
  }
}

std::vector<std::string> thread_words(const std::vector<int>& threads) {
  std::vector<std::string> words;
  words.reserve(threads.size());
  for (const int count : threads) {
    words.push_back(count == kAutoThreads ? "auto" : std::to_string(count));
  }
  return words;
}

bool is_graph(const std::string& mode) {
  if (mode != "graph" && mode != "eager") {
    throw InputError("--mode is '" + mode + "'; give graph, eager or both: graph,eager");
  }
  return mode == "graph";
}

// Whether engines will run on a GPU, as far as can be told before one is made.
bool takes_gpu(const std::string& device) {
  if (device != "auto") return device.starts_with("cuda");
  const std::vector<DeviceReport> devices = all_devices();
  return std::any_of(devices.begin(), devices.end(), [](const DeviceReport& report) {
    return report.available && report.name.starts_with("cuda");
  });
}

// The device at every point of its axes.
std::vector<DeviceRequest> devices_of(const BenchRequest& request) {
  std::vector<DeviceRequest> devices;
  DeviceRequest device = request.device;
  const bool gpu = takes_gpu(device.device);
  for (const std::string& mode : request.modes) {
    device.cuda.graph = is_graph(mode);
    for (const std::string& step : request.steps) {
      device.cuda.step = step_kind(step);
      if (gpu) devices.push_back(device);
    }
  }
  if (gpu) return devices;
  device.cuda = request.device.cuda;
  for (const int threads : request.threads) {
    device.threads = threads;
    devices.push_back(device);
  }
  return devices;
}

std::vector<Model> models_of(const BenchRequest& request) {
  std::vector<Model> models;
  std::vector<std::string> ids;
  for (const std::string& name : request.models) {
    const Model model = find_model(name);
    ids.push_back(model.id);
    models.push_back(request.dropout ? with_dropout(model, *request.dropout) : model);
  }
  refuse_twice("--model", ids);
  return models;
}

TrainSettings settings_of(const BenchRequest& request, const Model& model, int batch) {
  TrainSettings settings = settings_from_json(request.settings, recipe_of(model.id));
  settings.batch = batch;
  check_settings(settings);
  return settings;
}

// What is told of training steps alone, or of one process alone.
void look_into_steps(std::vector<RowRequest>& rows, const BenchRequest& request) {
  const char* const option = !request.capture.empty() ? "--profile-steps"
                             : request.breakdown      ? "--breakdown"
                                                      : "--roofline";
  if (request.capture.empty() && !request.breakdown && !request.roofline) return;
  if (request.works != std::vector<std::string>{"train"}) {
    throw InputError(fmt::format("{} looks at training steps; leave --work out", option));
  }
  if (request.capture.empty()) return;
  if (rows.size() != 1 || request.repeat != 1) {
    throw InputError(fmt::format(
        "--profile-steps captures one row in one process, and this makes {} rows with --repeat {}; "
        "give one value of each axis, and --repeat 1",
        rows.size(), request.repeat));
  }
  rows.front().capture = parse_step_range(option, request.capture);
}

}  // namespace

std::vector<RowRequest> rows_of(const BenchRequest& request) {
  check_settings(request.sampling);
  if (request.repeat < 1 || request.repeat > kMostRepeats) {
    throw InputError(fmt::format("--repeat is {}; give 1 to {}", request.repeat, kMostRepeats));
  }
  refuse_twice("--work", request.works);
  refuse_twice("--batch", request.batches);
  refuse_twice("--threads", thread_words(request.threads));
  refuse_twice("--mode", request.modes);
  refuse_twice("--step", request.steps);
  const std::vector<Model> models = models_of(request);
  const std::vector<DeviceRequest> devices = devices_of(request);
  std::vector<RowRequest> rows;
  for (const Model& model : models) {
    for (const std::string& word : request.works) {
      const Work work = work_kind(word);
      for (const int batch : request.batches) {
        if (work == Work::kEvaluate && batch != request.batches.front()) continue;
        const TrainSettings settings = settings_of(request, model, batch);
        make_plan(model, batch);  // throws for what does not work out
        for (const DeviceRequest& device : devices) {
          rows.push_back({model, settings, work, device, {}, request.breakdown, request.roofline});
        }
      }
    }
  }
  look_into_steps(rows, request);
  return rows;
}

}  // namespace digitron
