// A trained model from its file.
#pragma once

#include <filesystem>
#include <string>

#include "host/core/plan.h"
#include "host/files/model_state.h"

namespace digitron {

struct Checkpoint {
  Plan plan;
  ModelState state;
};

// The model is `model` (a name or text) or, when that is empty, the one that the file's metadata
// names, for the task that the file has. Throws InputError when neither says, or when the file does
// not hold that model.
Checkpoint load_checkpoint(const std::filesystem::path& path, const std::string& model, int batch);

}  // namespace digitron
