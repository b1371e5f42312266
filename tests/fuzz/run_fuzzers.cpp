// What a run leaves on disk, as --resume, eval and report read it.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "host/files/checkpoint.h"
#include "host/files/run_record.h"
#include "host/files/run_state.h"
#include "host/report/curves.h"
#include "host/train/run_json.h"
#include "host/train/settings_json.h"
#include "tests/fake_engine.h"
#include "tests/fuzz/fuzzers.h"

namespace digitron::testing {

namespace {

// Small, and with running statistics.
constexpr const char* kSmallModel = "maxpool 28, bn, fc 10";

// A safetensors file from its header, a newline and its data, so that the length of the header,
// which stands ahead of it, is right whatever becomes of it.
std::string safetensors_of(std::string_view text) {
  const uint64_t length = std::min(text.find('\n'), text.size());
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  bytes += text.substr(0, length);
  bytes += text.substr(std::min(length + 1, text.size()));
  return bytes;
}

FakeEngine engine_with_all_states() {
  TrainSettings settings;
  settings.optimizer = OptimizerKind::kAdamW;
  settings.ema = 0.9;
  FakeEngine engine(make_plan(parse_model(kSmallModel), settings.batch));
  engine.configure(training_of(settings));
  return engine;
}

Data some_data() {
  Data data;
  data.train = data.test = std::make_shared<Dataset>(Dataset{{}, {1, 2}});
  return data;
}

Curve loss_curve(const RunRecord& run) {
  Curve curve;
  for (const EpochRecord& epoch : run.epochs) {
    if (!epoch.train_loss) continue;
    const double loss = *epoch.train_loss;
    curve.points.push_back({epoch.epoch, loss, loss, epoch.test_loss.value_or(loss)});
  }
  return curve;
}

// As a session does that continues the run.
void resume(const std::filesystem::path& directory) {
  static const Data kData = some_data();
  const nlohmann::ordered_json run = read_description(directory, "--resume");
  const TrainSettings settings = resumed_settings(run, nlohmann::ordered_json::object(), false);
  check_settings(settings);
  settings_text(settings);
  resumed_step(run, StepKind::kAuto, false);
  make_plan(resumed_model(run, ""), settings.batch);
  may_refuse([&] { check_same_run(run, "0123"); });
  may_refuse([&] { check_same_data(run, kData); });
  RunState state;
  state.step = 2;
  may_refuse([&] { check_state_fits(run, state, 60'000); });
  may_refuse([&] { check_step_fits(run, settings, 2); });
  resumed_run(run, settings, {"digitron", "train"}, 1, 2).dump();
}

}  // namespace

void fuzz_safetensors(std::string_view bytes) {
  SafetensorsFile file(scratch_file("file.safetensors", bytes));
  for (const TensorInfo& tensor : file.tensors()) {
    if (tensor.dtype == kFloat) {
      std::vector<float> values((tensor.end - tensor.begin) / sizeof(float));
      may_refuse([&] { file.read(tensor, values); });
    } else if (tensor.dims.empty()) {
      file.read_int64(tensor);
    }
  }
}

void fuzz_checkpoint(std::string_view bytes) {
  const auto path = scratch_file("checkpoint/model.safetensors", safetensors_of(bytes));
  may_refuse([&] { load_checkpoint(path, "", 64); });
  load_checkpoint(path, kSmallModel, 64);
}

void fuzz_state(std::string_view bytes) {
  static const nlohmann::ordered_json kRun{{"id", "0123"}, {"settings", {{"batch", 16}}}};
  static FakeEngine engine = engine_with_all_states();
  const auto path = scratch_file("state/resume.safetensors", safetensors_of(bytes));
  const RunState state = load_run_state(path, engine);
  may_refuse([&] { check_same_run(kRun, state.run); });
  may_refuse([&] { check_state_fits(kRun, state, 60'000); });
  run_state_bytes(state, engine);
}

void fuzz_run_json(std::string_view bytes) {
  const auto directory = scratch_file("run/run.json", bytes).parent_path();
  may_refuse([&] { resume(directory); });
  read_run(directory);
}

void fuzz_metrics(std::string_view bytes) {
  scratch_file("metrics/run.json", R"({"model": {"id": "lenet5"}, "settings": {"epochs": 2}})");
  const RunRecord run = read_run(scratch_file("metrics/metrics.jsonl", bytes).parent_path());
  for (const bool logarithmic : {false, true}) {
    Plot loss{"loss", "Loss", logarithmic, {loss_curve(run)}, {}, {}};
    loss.zoom = zoom_of(loss.curves);
    const std::string script = gnuplot_script(loss);
    require(script.find("inf") == std::string::npos, "a number that gnuplot does not know");
    require(script.find("nan") == std::string::npos, "a number that gnuplot does not know");
  }
}

}  // namespace digitron::testing
