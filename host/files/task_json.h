// A task in JSON: what run.json and a checkpoint's metadata say of the data that a model is for.
#pragma once

#include "host/core/task.h"
#include "host/files/json_reader.h"

namespace digitron {

// {"image": [channels, height, width], "classes": [names], "mean": [of each channel], "deviation"}
nlohmann::ordered_json task_json(const Task& task);

// Throws InputError for what is missing, of the wrong type or impossible.
Task task_from_json(const JsonReader& json);

// Of an object that may have one under "task": MNIST's where there is none, as in the files of
// versions before 0.1.
Task task_in(const JsonReader& json);

}  // namespace digitron
