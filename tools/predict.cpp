// digitron predict
#include <spdlog/fmt/fmt.h>

#include <memory>

#include "host/core/devices.h"
#include "host/data/png_image.h"
#include "host/files/checkpoint.h"
#include "host/files/json.h"
#include "host/text/inspect.h"
#include "host/text/table.h"
#include "tools/commands.h"

namespace digitron {

namespace {

struct PredictOptions {
  std::string checkpoint;
  std::string model;
  std::vector<std::string> images;
  bool json = false;
};

// {"schema", "model", "images": [{"image", "class", "name", "probabilities", "logits"}]}
nlohmann::ordered_json predictions_json(const Model& model, const std::vector<std::string>& names,
                                        std::span<const float> logits) {
  nlohmann::ordered_json json{{"schema", "digitron-predict/1"},
                              {"model", {{"name", model.name}, {"text", to_text(model)}}},
                              {"images", nlohmann::ordered_json::array()}};
  const auto count = static_cast<size_t>(model.task.class_count());
  const std::vector<int> classes = predicted_classes(logits, model.task.class_count());
  for (size_t i = 0; i < names.size(); ++i) {
    const std::span<const float> row = logits.subspan(i * count, count);
    json["images"].push_back({{"image", names[i]},
                              {"class", classes[i]},
                              {"name", model.task.classes[static_cast<size_t>(classes[i])]},
                              {"probabilities", softmax(row)},
                              {"logits", std::vector<float>(row.begin(), row.end())}});
  }
  return json;
}

int predict(const PredictOptions& options) {
  const Checkpoint checkpoint = load_checkpoint(options.checkpoint, options.model, 1);
  const Task& task = checkpoint.plan.model.task;
  std::vector<uint8_t> pixels;
  for (const std::string& path : options.images) {
    const std::vector<uint8_t> image = shows_digits(task) ? prepare_digit(read_png_grey(path))
                                                          : read_png_exactly(path, task.image);
    pixels.insert(pixels.end(), image.begin(), image.end());
  }
  const std::unique_ptr<Engine> engine = make_cpu_engine(checkpoint.plan, 1);
  engine->set_state(State::kParameters, checkpoint.state.parameters);
  engine->set_state(State::kRunningStatistics, checkpoint.state.buffers);
  const std::vector<float> logits = engine->predict(pixels);
  if (options.json) {
    print_json(predictions_json(checkpoint.plan.model, options.images, logits));
  } else {
    print_text(prediction_table(task, options.images, logits));
  }
  return 0;
}

}  // namespace

Command add_predict(CLI::App& app) {
  CLI::App* sub =
      app.add_subcommand("predict", "Class and probabilities of PNG images of one digit");
  auto options = std::make_shared<PredictOptions>();
  add_checkpoint(*sub, options->checkpoint);
  add_model(*sub, options->model)->description(kCheckpointModelHelp);
  sub->add_option("IMAGE", options->images,
                  "PNG images of any size, grey or colour, dark on light or light on dark")
      ->required()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("FILE");
  sub->add_flag("--json", options->json, "The same and the logits, as JSON");
  return {sub, [options] { return predict(*options); }};
}

}  // namespace digitron
