#include "host/files/run_record.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "host/core/error.h"
#include "host/files/read_text.h"
#include "host/files/safetensors.h"
#include "host/files/task_json.h"
#include "host/text/text.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int kPlanBatch = 64;  // a report evaluates with it; a run's own may be anything
constexpr int kMostEpoch = 1 << 20;
constexpr const char* kReadable = "make it readable";
constexpr double kMostFigure = 1e300;  // what is reckoned with larger ones would be infinite

// Not a pipe or a device, from which reading might never end.
bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::optional<double> number(const ordered_json& object, const char* key) {
  const auto entry = object.find(key);
  if (entry == object.end() || !entry->is_number()) return std::nullopt;
  const auto value = entry->get<double>();
  return std::abs(value) <= kMostFigure ? std::optional(value) : std::nullopt;
}

bool says(const ordered_json& object, const char* key, const ordered_json& value) {
  const auto entry = object.find(key);
  return entry != object.end() && *entry == value;
}

void read_description(RunRecord& run) {
  const fs::path path = run.directory / "run.json";
  run.description = ordered_json::object();
  run.has_description = is_file(path);
  if (!run.has_description) {
    run.problems.emplace_back(
        "There is no run.json: model, settings, data and device are unknown.");
    return;
  }
  if (auto object = parse_object<ordered_json>(valid_utf8(read_text(path, kReadable)))) {
    run.description = std::move(*object);
  } else {
    run.problems.emplace_back(
        "run.json is damaged (not a whole JSON object): model, settings, data and device are "
        "unknown.");
  }
}

std::optional<EpochRecord> epoch_record(const ordered_json& event) {
  const auto epoch = number(event, "epoch");
  if (!epoch || *epoch < 1 || *epoch > kMostEpoch || *epoch != std::floor(*epoch)) {
    return std::nullopt;
  }
  EpochRecord record;
  record.epoch = static_cast<int>(*epoch);
  record.train_loss = number(event, "train_loss");
  record.train_accuracy = number(event, "train_accuracy");
  record.test_loss = number(event, "test_loss");
  record.test_accuracy = number(event, "test_accuracy");
  record.validation_loss = number(event, "validation_loss");
  record.validation_accuracy = number(event, "validation_accuracy");
  record.seconds = number(event, "seconds");
  record.images_per_second = number(event, "images_per_second");
  record.interrupted = says(event, "interrupted", true);
  return record;
}

void skip_line(RunRecord& run, int line) {
  run.problems.push_back(
      fmt::format("Line {} of metrics.jsonl is not a whole event; skipped.", line));
}

// A resumed run may have an epoch's event twice: the later one counts.
void read_metrics(RunRecord& run) {
  const fs::path path = run.directory / "metrics.jsonl";
  if (!is_file(path)) {
    run.problems.emplace_back("There is no metrics.jsonl: no curves and no figures of epochs.");
    return;
  }
  std::istringstream file(read_text(path, kReadable));
  std::map<int, EpochRecord> epochs;
  std::optional<EpochRecord> end;  // the test of a run with a validation set
  int line = 0;
  for (std::string text; std::getline(file, text);) {
    ++line;
    const std::optional<ordered_json> event = parse_object<ordered_json>(valid_utf8(text));
    const bool tells_epoch = event && says(*event, "event", "epoch");
    const bool tells_end = event && says(*event, "event", "final");
    const auto record = tells_epoch || tells_end ? epoch_record(*event) : std::nullopt;
    if (record && tells_epoch) epochs[record->epoch] = *record;
    if (record && tells_end) end = record;
    if (!event || ((tells_epoch || tells_end) && !record)) skip_line(run, line);
  }
  for (const auto& [epoch, record] : epochs) run.epochs.push_back(record);
  if (end && !run.epochs.empty()) {
    run.epochs.back().test_loss = end->test_loss;
    run.epochs.back().test_accuracy = end->test_accuracy;
  }
  if (run.epochs.empty()) run.problems.emplace_back("metrics.jsonl tells of no epoch.");
}

std::optional<int64_t> setting(const RunRecord& run, const char* name) {
  const ordered_json* value = run.find({"settings", name});
  return value == nullptr || !value->is_number_integer() ? std::nullopt
                                                         : std::optional(value->get<int64_t>());
}

// The epoch in which the settings end the run, patience aside; nothing where run.json does not
// tell.
std::optional<int64_t> last_epoch(const RunRecord& run) {
  const auto epochs = setting(run, "epochs");
  const auto max_steps = setting(run, "max_steps");
  if (!epochs || !max_steps) return epochs;
  const auto batch = setting(run, "batch");
  const ordered_json* images = run.find({"data", "train_images"});
  if (!batch || *batch < 1 || images == nullptr || !images->is_number_integer()) return {};
  const int64_t trained = images->get<int64_t>() - setting(run, "validation").value_or(0);
  const int64_t steps = std::max<int64_t>(1, trained / *batch + (trained % *batch > 0 ? 1 : 0));
  return std::min(*epochs, *max_steps / steps + (*max_steps % steps > 0 ? 1 : 0));
}

// Whether the run came to its end, as far as its files say.
void check_end(RunRecord& run) {
  if (run.epochs.empty()) return;
  const EpochRecord& last = run.epochs.back();
  if (last.interrupted) {
    run.problems.push_back(fmt::format(
        "The run was interrupted in epoch {}: that epoch has no test figures.", last.epoch));
    return;
  }
  const auto end = last_epoch(run);
  if (end && last.epoch < *end) {
    run.problems.push_back(fmt::format(
        "metrics.jsonl ends with epoch {} of {}: the run has stopped early or is still going on.",
        last.epoch, *end));
  }
}

// Takes the model's text, which is what was trained, before its name, which may mean another today.
void read_model(RunRecord& run) {
  run.model_name = run.text({"model", "name"});
  const std::string text = run.text({"model", "text"});
  const std::string id = run.text({"model", "id"});
  if (text.empty() && id.empty()) {
    if (run.model_name.empty()) run.model_name = "Unknown model";
    if (!run.description.empty()) run.problems.emplace_back("run.json does not name the model.");
    return;
  }
  try {
    const ordered_json* described = run.find({"model"});
    const Task task = task_in(JsonReader(*described, "run.json: model", "restore the file"));
    Model model = text.empty() ? find_model(id, task) : parse_model(text, task);
    if (run.model_name.empty()) run.model_name = model.name;
    model.name = run.model_name;
    run.plan = make_plan(model, kPlanBatch);
  } catch (const InputError& error) {
    if (run.model_name.empty()) run.model_name = text.empty() ? id : text;
    run.problems.push_back(
        fmt::format("The model is not known to this version ({}).", error.what()));
  }
}

// By the ids; those of older versions name none.
bool is_of_another_run(const RunRecord& run, const ModelState& state) {
  const std::string id = run.text({"id"});
  return !id.empty() && !state.run.empty() && id != state.run;
}

void read_parameters(RunRecord& run) {
  const fs::path path = run.directory / "model.safetensors";
  if (!is_file(path)) {
    run.problems.emplace_back("There is no model.safetensors: nothing to evaluate.");
    return;
  }
  if (!run.plan) return;
  try {
    ModelState state = load_state(path, *run.plan);
    if (is_of_another_run(run, state)) {
      run.problems.emplace_back(
          "model.safetensors is of another run than run.json: nothing of it is shown.");
    } else {
      run.state = std::move(state);
    }
  } catch (const InputError& error) {
    run.problems.push_back(
        fmt::format("The checkpoint does not hold this run's model ({}).", error.what()));
  }
}

}  // namespace

const ordered_json* RunRecord::find(std::initializer_list<const char*> keys) const {
  const ordered_json* value = &description;
  for (const char* key : keys) {
    const auto entry = value->is_object() ? value->find(key) : value->end();
    if (entry == value->end()) return nullptr;
    value = &*entry;
  }
  return value;
}

std::string RunRecord::text(std::initializer_list<const char*> keys) const {
  const ordered_json* value = find(keys);
  return value == nullptr || value->is_null() ? "" : value_text(*value);
}

RunRecord read_run(const fs::path& directory) {
  RunRecord run;
  run.directory = directory;
  std::error_code ignored;
  if (!fs::is_directory(directory, ignored)) {
    run.description = ordered_json::object();
    run.model_name = "Unknown model";
    run.problems.emplace_back("There is no such directory.");
    return run;
  }
  read_description(run);
  read_metrics(run);
  check_end(run);
  read_model(run);
  read_parameters(run);
  for (std::string& problem : run.problems) problem = message_line(problem);
  return run;
}

bool is_of_another_run(const fs::path& checkpoint, const ModelState& state) {
  RunRecord beside;
  beside.directory = checkpoint.parent_path();
  read_description(beside);
  return is_of_another_run(beside, state);
}

std::optional<double> RunRecord::test_accuracy() const {
  return epochs.empty() || epochs.back().interrupted ? std::nullopt : epochs.back().test_accuracy;
}

std::optional<double> RunRecord::validation_accuracy() const {
  return epochs.empty() || epochs.back().interrupted ? std::nullopt
                                                     : epochs.back().validation_accuracy;
}

bool RunRecord::has_ended() const {
  if (!test_accuracy()) return false;
  if (setting(*this, "validation").value_or(0) > 0) return true;  // it is tested at its end alone
  const auto end = last_epoch(*this);
  return end && epochs.back().epoch >= *end;
}

std::string value_text(const ordered_json& value) {
  if (value.is_null()) return "none";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace digitron
