// digitron inspect, digitron devices
#include "host/text/inspect.h"

#include <spdlog/fmt/fmt.h>

#include <memory>

#include "host/devices/devices.h"
#include "host/files/environment.h"
#include "host/files/json.h"
#include "host/machine/build.h"
#include "host/machine/machine.h"
#include "host/text/table.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct InspectOptions {
  std::string model = "lenet5";
  int batch = 64;
  DeviceRequest device{.device = ""};  // none is asked
  bool json = false;
};

// How much of a step falls to the thread with the most, for a choice of threads.
std::string thread_work_table(const Plan& plan) {
  const int64_t all = cpu_longest_work(plan, 1);
  std::vector<Row> rows{{"Threads", "Multiply-adds", "of the step's"}};
  for (const int threads : {1, 2, 3, 4, 8, 16}) {
    const int64_t longest = cpu_longest_work(plan, threads);
    rows.push_back(
        {std::to_string(threads), grouped(longest),
         fmt::format("{:.1f} %", 100.0 * static_cast<double>(longest) / static_cast<double>(all))});
  }
  return format_table(rows, "rrr");
}

nlohmann::ordered_json shape_json(const Shape& shape) {
  if (shape.vector) return {shape.count()};
  return {shape.channels, shape.height, shape.width};
}

nlohmann::ordered_json tensor_json(const Parameter& tensor) {
  return {{"name", tensor.name}, {"dims", tensor.dims}, {"count", tensor.count}};
}

// {"schema", "model", "batch", "parameters", "flops_forward", "flops_backward", "layers": [{"name",
// "layer", "in", "out", "parameters", "flops_forward", "flops_backward"}]}: FLOPs are a step's.
nlohmann::ordered_json plan_json(const Plan& plan) {
  const Model& model = plan.model;
  nlohmann::ordered_json json{
      {"schema", "digitron-inspect/1"},
      {"model", {{"id", model.id}, {"name", model.name}, {"text", to_text(model)}}},
      {"batch", plan.batch},
      {"parameters", plan.parameter_count},
      {"flops_forward", plan.flops_forward},
      {"flops_backward", plan.flops_backward},
      {"layers", nlohmann::ordered_json::array()}};
  for (const PlannedLayer& layer : plan.layers) {
    nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
    if (layer.parameters) {
      tensors = {tensor_json(plan.weight(layer)), tensor_json(plan.bias(layer))};
    }
    json["layers"].push_back({{"name", layer.name},
                              {"layer", to_text(layer.layer)},
                              {"in", shape_json(layer.in)},
                              {"out", shape_json(layer.out)},
                              {"parameters", tensors},
                              {"flops_forward", layer.flops_forward},
                              {"flops_backward", layer.flops_backward}});
  }
  return json;
}

int inspect_as_json(const InspectOptions& options, const Plan& plan) {
  nlohmann::ordered_json json = plan_json(plan);
  if (!options.device.device.empty()) {
    const std::unique_ptr<Engine> engine = make_engine(options.device, plan).engine;
    json["device"] = {{"description", engine->description()},
                      {"details", details_json(engine->describe().details)}};
  }
  print_json(json);
  return 0;
}

int inspect(const InspectOptions& options) {
  const Plan plan = make_plan(find_model(options.model), options.batch);
  if (options.json) return inspect_as_json(options, plan);
  print_text(plan_table(plan));
  if (options.device.device.empty()) return 0;
  const std::unique_ptr<Engine> engine = make_engine(options.device, plan).engine;
  print_text("\nOn " + engine->description() + ", before any data set:\n\n");
  print_text(details_table(engine->describe().details));
  if (options.device.device == "cpu") {
    print_text("\nOf a training step's multiply-adds, the thread with the most has:\n\n");
    print_text(thread_work_table(plan));
  }
  return 0;
}

// {"schema", "build", "machine", "devices": [{"name", "description", "available", "details"}]}
nlohmann::ordered_json devices_json() {
  nlohmann::ordered_json json;
  json["schema"] = "digitron-devices/1";
  json["build"] = build_json();
  json["machine"] = machine_json();
  json["devices"] = nlohmann::ordered_json::array();
  for (const DeviceReport& device : all_devices()) {
    json["devices"].push_back({{"name", device.name},
                               {"description", device.description},
                               {"available", device.available},
                               {"details", details_json(device.details)}});
  }
  return json;
}

int devices(bool json) {
  if (json) {
    print_json(devices_json());
    return 0;
  }
  std::vector<Row> rows;
  for (const DeviceReport& device : all_devices()) {
    rows.push_back(
        {device.name, device.available ? "available" : "not available", device.description});
    for (const Detail& detail : device.details) {
      if (device.description.find(value_text(detail)) != std::string::npos) continue;
      rows.push_back({"", "", detail.name + ": " + value_text(detail)});
    }
  }
  print_text(format_table(rows, "lll"));
  return 0;
}

}  // namespace

Command add_inspect(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("inspect", "A model's layers, parameters, FLOPs and memory");
  auto options = std::make_shared<InspectOptions>();
  add_model(*sub, options->model)->capture_default_str();
  sub->add_option("--batch", options->batch, "Images a step")
      ->transform(number<int>())
      ->capture_default_str();
  add_device(*sub, options->device);
  sub->add_flag("--json", options->json, "The same, as JSON");
  return {sub, [options] { return inspect(*options); }};
}

Command add_devices(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("devices", "What can run here, and why the rest cannot");
  auto json = std::make_shared<bool>(false);
  sub->add_flag("--json", *json, "All that is known of them, of the machine and of this build");
  return {sub, [json] { return devices(*json); }};
}

}  // namespace digitron
