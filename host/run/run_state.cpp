#include "host/run/run_state.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/error.h"
#include "host/run/safetensors.h"

namespace digitron {

namespace {

using nlohmann::json;

constexpr const char* kBestPrefix = "best.";

// What a buffer's tensors are called in the file, before the parameter's name.
std::string prefix_of(FlatState which) {
  switch (which) {
    case FlatState::kMomentum:
      return "momentum.";
    case FlatState::kSecondMoment:
      return "second_moment.";
    case FlatState::kAverage:
      return "average.";
    case FlatState::kParameters:
      break;
  }
  return "";
}

// Doubles survive: they are written with as many digits as they need.
json position_json(const RunState& s) {
  json position{{"epoch", s.epoch},
                {"step", s.step},
                {"loss_sum", s.train.loss_sum},
                {"correct", s.train.correct},
                {"count", s.train.count},
                {"seconds", s.seconds},
                {"metrics_bytes", s.metrics_bytes}};
  if (s.best) {
    position["best_epoch"] = s.best->epoch;
    position["best_loss"] = s.best->loss;
  }
  return position;
}

RunState parse_position(const std::filesystem::path& path, const Metadata& metadata) {
  const auto entry = metadata.find("run_state");
  try {
    if (entry == metadata.end()) throw InputError("");
    const json position = json::parse(entry->second);
    RunState state;
    state.epoch = position.at("epoch");
    state.step = position.at("step");
    state.train = {position.at("loss_sum"), position.at("correct"), position.at("count")};
    state.seconds = position.at("seconds");
    state.metrics_bytes = position.at("metrics_bytes");
    if (position.contains("best_epoch")) {
      state.best = BestEpoch{position["best_epoch"], position.at("best_loss"), {}};
    }
    return state;
  } catch (const std::exception&) {
    throw InputError(path.string() +
                     " does not say where its run stands; start the run again without --resume");
  }
}

// The plan's tensors under a prefix, as one flat buffer.
std::vector<float> read_flat(SafetensorsFile& file, const Plan& plan, const std::string& prefix) {
  std::vector<float> flat(plan.parameter_floats);
  for (const Parameter& parameter : plan.parameters) {
    const std::string name = prefix + parameter.name;
    const auto tensor = std::find_if(file.tensors().begin(), file.tensors().end(),
                                     [&](const TensorInfo& t) { return t.name == name; });
    if (tensor == file.tensors().end() || tensor->dims != parameter.dims) {
      throw InputError(file.path().string() + ": tensor " + name +
                       " is missing or of another shape; a run goes on with its own model, "
                       "optimiser and --ema");
    }
    file.read(*tensor, std::span(flat).subspan(parameter.offset, parameter.count));
  }
  return flat;
}

}  // namespace

std::string run_state_bytes(const RunState& state, const Engine& engine) {
  std::vector<std::vector<float>> buffers;  // until the tensors are written
  std::vector<NamedTensor> tensors;
  const auto add = [&](std::vector<float> flat, const std::string& prefix) {
    buffers.push_back(std::move(flat));
    for (NamedTensor& t : named_tensors(engine.plan(), buffers.back(), prefix)) {
      tensors.push_back(std::move(t));
    }
  };
  for (const FlatState which : kFlatStates) {
    if (uses(engine.optimizer(), which)) add(engine.state(which), prefix_of(which));
  }
  if (state.best) add(state.best->parameters, kBestPrefix);
  return safetensors_bytes(tensors, {{"run_state", position_json(state).dump()}});
}

RunState load_run_state(const std::filesystem::path& path, Engine& engine) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw InputError(path.string() +
                     " is not there: the run has not finished an epoch, or has not been started; "
                     "run it without --resume");
  }
  SafetensorsFile file(path);
  RunState state = parse_position(path, file.metadata());
  for (const FlatState which : kFlatStates) {
    if (!uses(engine.optimizer(), which)) continue;
    engine.set_state(which, read_flat(file, engine.plan(), prefix_of(which)));
  }
  if (state.best) state.best->parameters = read_flat(file, engine.plan(), kBestPrefix);
  return state;
}

}  // namespace digitron
