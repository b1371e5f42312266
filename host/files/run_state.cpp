#include "host/files/run_state.h"

#include <algorithm>

#include "host/core/error.h"
#include "host/files/json.h"
#include "host/files/safetensors.h"

namespace digitron {

namespace {

using nlohmann::json;

constexpr const char* kBestPrefix = "best.";

// What stands before the parameter's name in the name of a buffer's tensor.
std::string prefix_of(State which) {
  if (which == State::kMomentum) return "momentum.";
  if (which == State::kSecondMoment) return "second_moment.";
  return which == State::kAverage ? "average." : "";
}

// JSON keeps every bit of a double: it is written with as many digits as that takes.
json position_json(const RunState& s) {
  json position{{"epoch", s.epoch},
                {"step", s.step},
                {"loss_sum", s.train.loss_sum},
                {"correct", s.train.correct},
                {"count", s.train.count},
                {"seconds", s.seconds},
                {"metrics_bytes", s.metrics_bytes},
                {"batches_before", s.batches_before}};
  if (s.best) {
    position["best_epoch"] = s.best->epoch;
    position["best_loss"] = s.best->loss;
    position["best_batches"] = s.best->state.batches_tracked;
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
    state.batches_before = position.at("batches_before");
    if (position.contains("best_epoch")) {
      state.best = BestEpoch{position["best_epoch"], position.at("best_loss"), {}};
      state.best->state.batches_tracked = position.at("best_batches");
    }
    return state;
  } catch (const std::exception&) {
    throw InputError(path.string() +
                     " does not say where its run stands; start the run again without --resume");
  }
}

// The tensors of one of the plan's tables, under a prefix, as one flat buffer.
template <class Entry>
std::vector<float> read_flat(SafetensorsFile& file, const std::vector<Entry>& table, size_t floats,
                             const std::string& prefix) {
  std::vector<float> flat(floats);
  for (const Entry& entry : table) {
    const std::string name = prefix + entry.name;
    const auto tensor = std::find_if(file.tensors().begin(), file.tensors().end(),
                                     [&](const TensorInfo& t) { return t.name == name; });
    if (tensor == file.tensors().end() || tensor->dtype != kFloat ||
        (tensor->end - tensor->begin) / sizeof(float) != entry.count) {
      throw InputError(file.path().string() + ": tensor " + name +
                       " is missing or of another size; a run goes on with its own model, "
                       "optimiser and --ema");
    }
    file.read(*tensor, std::span(flat).subspan(entry.offset, entry.count));
  }
  return flat;
}

std::vector<float> read_state(SafetensorsFile& file, const Plan& plan, State which,
                              const std::string& prefix) {
  const size_t floats = state_floats(plan, which);
  return which == State::kRunningStatistics ? read_flat(file, plan.buffers, floats, prefix)
                                            : read_flat(file, plan.parameters, floats, prefix);
}

}  // namespace

std::string run_state_bytes(const RunState& state, const Engine& engine) {
  std::vector<std::vector<float>> flats;  // what `tensors` point into
  std::vector<TensorData> tensors;
  const auto add = [&](auto make_tensors, std::vector<float> flat, const std::string& prefix) {
    flats.push_back(std::move(flat));
    for (TensorData& t : make_tensors(engine.plan(), flats.back(), prefix)) {
      tensors.push_back(std::move(t));
    }
  };
  for (const State which : kStates) {
    if (!uses(engine.training().optimizer, which)) continue;
    add(which == State::kRunningStatistics ? buffer_tensors : parameter_tensors,
        engine.state(which), prefix_of(which));
  }
  if (state.best) {
    add(parameter_tensors, state.best->state.parameters, kBestPrefix);
    add(buffer_tensors, state.best->state.buffers, kBestPrefix);
  }
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
  for (const State which : kStates) {
    if (!uses(engine.training().optimizer, which)) continue;
    engine.set_state(which, read_state(file, engine.plan(), which, prefix_of(which)));
  }
  if (state.best) {
    ModelState& best = state.best->state;
    best.parameters = read_state(file, engine.plan(), State::kParameters, kBestPrefix);
    best.buffers = read_state(file, engine.plan(), State::kRunningStatistics, kBestPrefix);
  }
  return state;
}

}  // namespace digitron
