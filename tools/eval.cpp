// digitron eval
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "host/data/data.h"
#include "host/devices/devices.h"
#include "host/files/checkpoint.h"
#include "host/files/run_record.h"
#include "host/report/evaluation.h"
#include "host/text/inspect.h"
#include "host/text/table.h"
#include "tools/commands.h"

namespace digitron {

namespace {

constexpr int kBatch = 64;

struct EvalOptions {
  std::string checkpoint;
  std::string model;
  std::string data;
  DeviceRequest device;
  bool json = false;
};

// {"schema", "model", "checkpoint", "data", "device", "loss", "accuracy", "correct", "confusion"}:
// accuracy is a fraction, confusion[truth][prediction] the number of images.
nlohmann::ordered_json evaluation_json(const EvalOptions& options, const Data& data,
                                       const Engine& engine, const Evaluation& evaluation) {
  const Model& model = engine.plan().model;
  const Metrics& test = evaluation.metrics;
  return {{"schema", "digitron-eval/1"},
          {"model", {{"name", model.name}, {"text", to_text(model)}}},
          {"checkpoint", options.checkpoint},
          {"data",
           {{"source", data.source},
            {"description", data.description},
            {"is_mnist", data.is_mnist},
            {"test_images", test.count}}},
          {"device", engine.description()},
          {"loss", test.loss()},
          {"accuracy", test.accuracy()},
          {"correct", test.correct},
          {"confusion", evaluation.confusion}};
}

int run_eval(const EvalOptions& options) {
  const Checkpoint checkpoint = load_checkpoint(options.checkpoint, options.model, kBatch);
  if (is_of_another_run(options.checkpoint, checkpoint.state)) {
    spdlog::warn("Warning: {} is of another run than run.json beside it", options.checkpoint);
  }
  const std::jthread device = start_device(options.device);
  const Data data = load_test_set(options.data);
  const std::unique_ptr<Engine> engine = make_engine(options.device, checkpoint.plan).engine;
  engine->set_state(State::kParameters, checkpoint.state.parameters);
  engine->set_state(State::kRunningStatistics, checkpoint.state.buffers);

  const Evaluation evaluation = evaluate(*engine, data.test);
  if (options.json) {
    print_json(evaluation_json(options, data, *engine, evaluation));
    return 0;
  }
  const Metrics& test = evaluation.metrics;
  const std::string text = fmt::format(
      "{} from {}\n{}, {} test images\nTest Loss: {:.4f}, Test Acc: {:.2f}%, {} wrong\n\n{}",
      checkpoint.plan.model.name, options.checkpoint, data.description, grouped(test.count),
      test.loss(), 100 * test.accuracy(), grouped(test.count - test.correct),
      confusion_table(evaluation.confusion));
  print_text(text);
  return 0;
}

}  // namespace

Command add_eval(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("eval", "Loss, accuracy and confusion matrix on the test set");
  auto options = std::make_shared<EvalOptions>();
  add_checkpoint(*sub, options->checkpoint);
  add_data(*sub, options->data);
  add_model(*sub, options->model)->description(kCheckpointModelHelp);
  add_device(*sub, options->device);
  sub->add_flag("--json", options->json, "The same, as JSON");
  return {sub, [options] { return run_eval(*options); }};
}

}  // namespace digitron
