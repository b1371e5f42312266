// A trainer on an engine that trains nothing, its files and its log.
#pragma once

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "host/files/json.h"
#include "host/files/run_directory.h"
#include "host/train/trainer.h"
#include "tests/data_testing.h"
#include "tests/fake_engine.h"

namespace digitron::testing {

class TrainerTest : public ::testing::Test {
 protected:
  TrainerTest() : old_logger_(spdlog::default_logger()) {
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
    spdlog::set_pattern("%v");
    settings_.epochs = 2;
    settings_.batch = 4;
  }
  ~TrainerTest() override { spdlog::set_default_logger(old_logger_); }

  TrainResult run() {
    engine_.configure(training_of(settings_));
    return Trainer(engine_, run_, settings_, kTrainCount, stop_).run();
  }

  std::vector<nlohmann::json> events() const {
    std::vector<nlohmann::json> events;
    std::istringstream lines(read_file(directory_ / "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);)
      events.push_back(nlohmann::json::parse(line));
    return events;
  }

  // The step that the checkpoint on disk is of, by its metadata and by its contents.
  std::string saved_step() const {
    SafetensorsFile file(directory_ / "model.safetensors");
    const std::string step = file.metadata().at("step");
    EXPECT_EQ(load_state(file, engine_.plan()).parameters[0], std::stof(step));
    return step;
  }
  bool saved() const { return std::filesystem::exists(directory_ / "model.safetensors"); }

  // The run as another process goes on with it; run_ is over.
  RunDirectory resumed_run(const RunState& state) {
    { const RunDirectory over = std::move(run_); }
    return RunDirectory::resume(directory_.path(), RunLock(directory_.path()), {},
                                state.metrics_bytes);
  }

  static constexpr int kTrainCount = 39;  // 10 steps of 4, the last one ragged
  TemporaryDirectory directory_;
  RunDirectory run_{directory_.path(), {}};
  FakeEngine engine_{make_plan(parse_model("fc 10"), 4)};
  TrainSettings settings_;
  std::atomic<bool> stop_{false};
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> old_logger_;
};

}  // namespace digitron::testing
