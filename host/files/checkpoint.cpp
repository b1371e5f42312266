#include "host/files/checkpoint.h"

#include "host/core/error.h"
#include "host/files/safetensors.h"

namespace digitron {

namespace {

Model model_of(const SafetensorsFile& file) {
  const auto entry = file.metadata().find("model");
  const std::string where = file.path().string();
  if (entry == file.metadata().end()) {
    throw InputError(where + ": its metadata does not name the model; name it with --model");
  }
  try {
    return find_model(entry->second);
  } catch (const InputError& error) {
    throw InputError(where + ": its metadata names a model that is not known here (" +
                     error.what() + "); name another with --model");
  }
}

}  // namespace

Checkpoint load_checkpoint(const std::filesystem::path& path, const std::string& model, int batch) {
  SafetensorsFile file(path);
  const Plan plan = make_plan(model.empty() ? model_of(file) : find_model(model), batch);
  return {plan, load_state(file, plan)};
}

}  // namespace digitron
