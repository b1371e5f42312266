#include "host/train/run_description.h"

#include "host/files/environment.h"
#include "host/files/json.h"
#include "host/train/settings_json.h"

namespace digitron {

using nlohmann::ordered_json;

ordered_json device_description(const DeviceRequest& request, const Engine& engine,
                                const std::string& fallback) {
  ordered_json device{{"asked", request.device},
                      {"description", engine.description()},
                      {"threads", request.threads},
                      {"cpu", cpu_name()}};
  if (!fallback.empty()) device["fallback"] = fallback;
  const ordered_json details = details_json(engine.details());
  if (!details.empty()) device["details"] = details;
  return device;
}

ordered_json run_description(const SessionRequest& request, const TrainSettings& settings,
                             const Engine& engine, const std::string& fallback, const Data& data) {
  const Plan& plan = engine.plan();
  ordered_json run;
  run["digitron"] = version();
  run["compiler"] = compiler();
  run["command"] = request.command;
  run["started"] = utc_now();
  run["model"] = {{"id", plan.model.id},
                  {"name", plan.model.name},
                  {"text", to_text(plan.model)},
                  {"parameters", plan.parameter_count}};
  run["device"] = device_description(request.device, engine, fallback);
  run["precision"] = engine.precision();
  run["data"] = {{"source", data.source},
                 {"description", data.description},
                 {"is_mnist", data.is_mnist},
                 {"sha256", data.sha256},
                 {"train_images", data.train->count()},
                 {"test_images", data.test->count()}};
  ordered_json& s = run["settings"];
  s = settings_json(settings);
  s["init"] = request.init.empty() ? ordered_json() : ordered_json(request.init);
  return run;
}

}  // namespace digitron
