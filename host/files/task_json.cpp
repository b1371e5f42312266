#include "host/files/task_json.h"

#include <array>
#include <charconv>

namespace digitron {

using nlohmann::ordered_json;

namespace {

// The double whose text is the shortest that gives these floats: 0.1307, not 0.1307000070810318.
std::vector<double> shortest(const std::vector<float>& values) {
  std::vector<double> result;
  for (const float value : values) {
    std::array<char, 32> digits{};
    const auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    std::from_chars(digits.data(), end, result.emplace_back());
  }
  return result;
}

}  // namespace

ordered_json task_json(const Task& task) {
  return {{"image", {task.image.channels, task.image.height, task.image.width}},
          {"classes", task.classes},
          {"mean", shortest(task.mean)},
          {"deviation", shortest(task.deviation)}};
}

Task task_from_json(const JsonReader& json) {
  const std::vector<double> image = json.numbers("image");
  if (image.size() != 3) json.refuse("image", "[channels, height, width]");
  Task task;
  const auto side = [&](size_t i) {
    if (image[i] < 1 || image[i] > 65'536) json.refuse("image", "sides of 1 or more");
    return static_cast<int>(image[i]);
  };
  task.image = {side(0), side(1), side(2)};
  task.classes = json.texts("classes");
  const auto floats = [&](const char* key) {
    const std::vector<double> values = json.numbers(key);
    return std::vector<float>(values.begin(), values.end());
  };
  task.mean = floats("mean");
  task.deviation = floats("deviation");
  check_task(task, json.where());
  return task;
}

Task task_in(const JsonReader& json) {
  return json.has("task") ? task_from_json(json.object("task")) : Task{};
}

}  // namespace digitron
