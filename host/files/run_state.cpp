#include "host/files/run_state.h"

#include <algorithm>
#include <limits>

#include "host/core/error.h"
#include "host/files/json_reader.h"
#include "host/files/safetensors.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

constexpr const char* kBestPrefix = "best.";

// What stands before the parameter's name in the name of a buffer's tensor.
std::string prefix_of(State which) {
  if (which == State::kMomentum) return "momentum.";
  if (which == State::kSecondMoment) return "second_moment.";
  return which == State::kAverage ? "average." : "";
}

// JSON keeps every bit of a double: it is written with as many digits as that takes.
ordered_json position_json(const RunState& s) {
  ordered_json position{{"epoch", s.epoch},
                        {"step", s.step},
                        {"loss_sum", s.train.loss_sum},
                        {"correct", s.train.correct},
                        {"count", s.train.count},
                        {"seconds", s.seconds},
                        {"metrics_bytes", s.metrics_bytes},
                        {"batches_before", s.batches_before},
                        {"run", s.run}};
  if (s.best) {
    position["best_epoch"] = s.best->epoch;
    position["best_loss"] = s.best->loss;
    position["best_batches"] = s.best->state.batches_tracked;
  }
  return position;
}

// What the state says, each value within what any run can have. Whether they go together only the
// run's settings tell.
RunState parse_position(const std::filesystem::path& path, const Metadata& metadata) {
  const std::string advice = "restore the file, or start the run again without --resume";
  const auto entry = metadata.find("run_state");
  const auto object =
      entry == metadata.end() ? std::nullopt : parse_object<ordered_json>(entry->second);
  if (!object) {
    throw InputError(path.string() + " does not say where its run stands; " + advice);
  }
  constexpr int64_t kMostInt = std::numeric_limits<int>::max();
  constexpr int64_t kMost = int64_t{1} << 53;  // what a double counts to
  constexpr double kMostNumber = std::numeric_limits<double>::max();
  const JsonReader position(*object, path.string(), advice);
  RunState state;
  state.epoch = static_cast<int>(position.integer("epoch", 1, kMostInt));
  state.step = static_cast<int>(position.integer("step", 0, kMostInt));
  state.train.loss_sum = position.number("loss_sum", -kMostNumber, kMostNumber);
  state.train.count = position.integer("count", 0, kMost);
  state.train.correct = position.integer("correct", 0, state.train.count);
  state.seconds = position.number("seconds", 0, kMostNumber);
  state.metrics_bytes = static_cast<uint64_t>(position.integer("metrics_bytes", 0, kMost));
  state.batches_before = position.integer("batches_before", 0, kMost);
  if (position.has("run")) state.run = position.text("run");
  if (position.has("best_epoch")) {
    state.best.emplace();
    state.best->epoch = static_cast<int>(position.integer("best_epoch", 1, state.epoch));
    state.best->loss = position.number("best_loss", -kMostNumber, kMostNumber);
    state.best->state.batches_tracked = position.integer("best_batches", 0, kMost);
  }
  return state;
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
