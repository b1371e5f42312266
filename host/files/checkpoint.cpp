#include "host/files/checkpoint.h"

#include "host/core/error.h"
#include "host/files/safetensors.h"
#include "host/files/task_json.h"

namespace digitron {

namespace {

// MNIST's where the file names none, as PyTorch's and those of older versions.
Task task_of(const SafetensorsFile& file) {
  const auto entry = file.metadata().find("task");
  if (entry == file.metadata().end()) return {};
  const std::string where = file.path().string() + ": its metadata: task";
  const auto json = parse_object<nlohmann::ordered_json>(entry->second);
  return task_from_json(
      JsonReader(json ? *json : nlohmann::ordered_json(), where, "restore the file"));
}

// By the text, which is what was trained, before the name, which may mean another today.
Model model_of(const SafetensorsFile& file, const Task& task) {
  const Metadata& metadata = file.metadata();
  const auto id = metadata.find("model");
  const std::string where = file.path().string();
  if (id == metadata.end()) {
    throw InputError(where + ": its metadata does not name the model; name it with --model");
  }
  try {
    const auto layers = metadata.find("layers");
    if (layers == metadata.end()) return find_model(id->second, task);
    Model model = parse_model(layers->second, task);
    const auto name = metadata.find("name");
    model.id = id->second;
    if (name != metadata.end()) model.name = name->second;
    return model;
  } catch (const InputError& error) {
    throw InputError(where + ": its metadata names a model that is not known here (" +
                     error.what() + "); name another with --model");
  }
}

}  // namespace

Checkpoint load_checkpoint(const std::filesystem::path& path, const std::string& model, int batch) {
  SafetensorsFile file(path);
  const Task task = task_of(file);
  const Plan plan =
      make_plan(model.empty() ? model_of(file, task) : find_model(model, task), batch);
  return {plan, load_state(file, plan)};
}

}  // namespace digitron
