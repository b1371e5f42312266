// A run that stops and goes on must leave what it would have left without stopping.
#include "host/files/run_state.h"

#include <gmock/gmock.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "host/core/error.h"
#include "host/cpu/arch.h"
#include "host/cpu/cpu_engine.h"
#include "host/files/json.h"
#include "host/train/settings_json.h"
#include "host/train/trainer.h"
#include "tests/data_testing.h"
#include "tests/engine_testing.h"
#include "tests/fake_engine.h"
#include "tests/models.h"

namespace digitron {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using testing::error_of;
using testing::FakeEngine;
using ::testing::HasSubstr;
using testing::read_file;
using testing::TemporaryDirectory;

constexpr int kCount = 110;
constexpr int kBatch = 16;  // 7 steps an epoch, the last one of 14

// The events without what no two runs share.
std::vector<json> events(const std::filesystem::path& directory) {
  std::vector<json> events;
  std::istringstream lines(read_file(directory / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    json event = json::parse(line);
    for (const char* key : {"seconds", "images_per_second", "evaluation_seconds", "time"}) {
      event.erase(key);
    }
    events.push_back(event);
  }
  return events;
}

TrainSettings plain() {
  TrainSettings settings;
  settings.epochs = 4;
  settings.batch = kBatch;
  settings.log_steps = true;
  settings.weight_decay = 0.01;
  return settings;
}

TrainSettings everything() {
  TrainSettings settings = plain();
  settings.optimizer = OptimizerKind::kAdam;
  settings.lr = 0.001;
  settings.ema = 0.9;
  settings.schedule = Schedule::kOneCycle;
  settings.label_smoothing = 0.1;
  settings.shift = 2;
  settings.rotate = 10;
  return settings;
}

class ResumeTest : public ::testing::TestWithParam<bool> {
 protected:
  ResumeTest() { spdlog::set_level(spdlog::level::off); }
  ~ResumeTest() override { spdlog::set_level(spdlog::level::info); }

  std::unique_ptr<Engine> engine(const TrainSettings& settings) const {
    auto engine = std::make_unique<CpuEngine>(plan_, 2, *runnable_cpu_kernels().front());
    engine->load(testing::random_dataset(kCount, 1), testing::random_dataset(20, 2));
    engine->set_state(State::kParameters, initial_parameters(plan_, 1));
    engine->configure(training_of(settings));
    return engine;
  }

  // A run from the start to its last epoch or step.
  std::unique_ptr<Engine> run(const TrainSettings& settings, const std::string& name) {
    RunDirectory directory(directory_ / name, {{"settings", settings_json(settings)}},
                           RunDirectory::IfThere::kOverwrite);
    auto trained = engine(settings);
    Trainer(*trained, directory, settings, kCount, stop_).run();
    return trained;
  }
  // Goes on in a fresh engine, as another process would.
  std::unique_ptr<Engine> resume(const TrainSettings& settings, const std::string& name) {
    auto resumed = engine(settings);
    const RunState state = load_run_state(state_path(directory_ / name), *resumed);
    RunDirectory directory = RunDirectory::resume(directory_ / name, RunLock(directory_ / name), {},
                                                  state.metrics_bytes);
    Trainer(*resumed, directory, settings, kCount, stop_).run(state);
    return resumed;
  }

  void expect_same(const Engine& a, const std::string& name_a, const Engine& b,
                   const std::string& name_b) {
    for (const State which : kStates) EXPECT_EQ(a.state(which), b.state(which));
    EXPECT_EQ(events(directory_ / name_a), events(directory_ / name_b));
    EXPECT_TRUE(testing::tensor_bytes(directory_ / name_a / "model.safetensors") ==
                testing::tensor_bytes(directory_ / name_b / "model.safetensors"));
  }

  const TrainSettings settings_ = GetParam() ? everything() : plain();
  const Plan plan_ = make_plan(parse_model("conv 3x5 stride 2, relu, maxpool 2, fc 10"), kBatch);
  TemporaryDirectory directory_;
  std::atomic<bool> stop_{false};
};

TEST_P(ResumeTest, FourEpochsAreTwoAndTwo) {
  const auto whole = run(settings_, "whole");
  for (const int steps : {14, 10, 8, 27}) {  // at an epoch's end, and within one
    TrainSettings first = settings_;
    first.max_steps = steps;
    run(first, "parts");
    const auto resumed = resume(settings_, "parts");
    expect_same(*resumed, "parts", *whole, "whole");
  }
}

TEST_P(ResumeTest, AFinishedRunStaysAsItIs) {
  const auto whole = run(settings_, "whole");
  const std::string before = read_file(directory_ / "whole" / "metrics.jsonl");
  const auto again = resume(settings_, "whole");
  EXPECT_EQ(again->state(State::kParameters), whole->state(State::kParameters));
  EXPECT_EQ(read_file(directory_ / "whole" / "metrics.jsonl"), before);
}

// A run that was killed has written events after its saved state.
TEST_P(ResumeTest, EventsBehindTheSavedStateAreCut) {
  const auto whole = run(settings_, "whole");
  TrainSettings first = settings_;
  first.max_steps = 14;
  run(first, "killed");
  std::ofstream(directory_ / "killed" / "metrics.jsonl", std::ios::app)
      << step_event(3, 15, 7.0) << "{\"event\":\"st";
  const auto resumed = resume(settings_, "killed");
  expect_same(*resumed, "killed", *whole, "whole");
}

INSTANTIATE_TEST_SUITE_P(Settings, ResumeTest, ::testing::Bool(), [](const auto& which) {
  return which.param ? "AdamAugmentedAveraged" : "Sgd";
});

// ---- the state's file

TEST(RunStateTest, EveryBitComesBack) {
  const TemporaryDirectory directory;
  const Plan plan = make_plan(parse_model("bn, fc 10"), 4);
  CpuEngine engine(plan, 1, *runnable_cpu_kernels().front());
  engine.configure({.optimizer = {.kind = OptimizerKind::kAdamW, .average_decay = 0.5}});
  for (const State which : kStates) {
    if (which == State::kRunningStatistics) continue;
    engine.set_state(which, initial_parameters(plan, 10 + static_cast<uint64_t>(which)));
  }
  std::vector<float> statistics = initial_buffers(plan);
  statistics[0] = 0.5f;
  engine.set_state(State::kRunningStatistics, statistics);
  RunState state;
  state.epoch = 7;
  state.step = 3;
  state.train = {0.1 + 0.2, 5, 12};
  state.seconds = 1.0 / 3;
  state.best = BestEpoch{4, std::sqrt(2.0), initial_state(plan, 9)};
  state.best->state.buffers[0] = 0.25f;
  state.best->state.batches_tracked = 50;
  state.metrics_bytes = 12345;
  state.batches_before = 100;
  testing::write_file(directory / "state", run_state_bytes(state, engine));
  CpuEngine other(plan, 1, *runnable_cpu_kernels().front());
  other.configure(engine.training());
  const RunState read = load_run_state(directory / "state", other);
  EXPECT_EQ(read.epoch, 7);
  EXPECT_EQ(read.step, 3);
  EXPECT_EQ(read.train.loss_sum, state.train.loss_sum);
  EXPECT_EQ(read.train.correct, 5);
  EXPECT_EQ(read.train.count, 12);
  EXPECT_EQ(read.seconds, state.seconds);
  EXPECT_EQ(read.metrics_bytes, 12345u);
  EXPECT_EQ(read.best->epoch, 4);
  EXPECT_EQ(read.best->loss, state.best->loss);
  EXPECT_EQ(read.batches_before, 100);
  EXPECT_EQ(read.best->state.parameters, state.best->state.parameters);
  EXPECT_EQ(read.best->state.buffers, state.best->state.buffers);
  EXPECT_EQ(read.best->state.batches_tracked, 50);
  for (const State which : kStates) EXPECT_EQ(other.state(which), engine.state(which));
}

TEST(RunStateTest, WhatCannotBeResumedIsSaid) {
  const TemporaryDirectory directory;
  FakeEngine engine(make_plan(parse_model("fc 10"), 4));
  const auto message = [&](Engine& into) {
    return error_of<InputError>([&] { load_run_state(directory / "state", into); });
  };
  EXPECT_THAT(message(engine), HasSubstr("is not there: the run has not finished an epoch"));
  testing::write_file(directory / "state", run_state_bytes({}, engine));
  FakeEngine adam(engine.plan());
  adam.configure({.optimizer = {.kind = OptimizerKind::kAdam}});
  EXPECT_THAT(message(adam), HasSubstr("tensor second_moment.fc1.weight is missing"));
  FakeEngine other(make_plan(parse_model("fc 12, fc 10"), 4));
  EXPECT_THAT(message(other), HasSubstr("is missing or of another size"));
  testing::write_file(directory / "state",
                      safetensors_bytes(engine.plan(), initial_state(engine.plan(), 1), {}));
  EXPECT_THAT(message(engine), HasSubstr("does not say where its run stands"));
  const auto message_of = [&](const char* key, const ordered_json& value) {
    ordered_json position{{"epoch", 2},         {"step", 1},          {"loss_sum", 1.5},
                          {"correct", 2},       {"count", 4},         {"seconds", 1},
                          {"metrics_bytes", 0}, {"batches_before", 0}};
    position[key] = value;
    testing::write_file(directory / "state",
                        safetensors_bytes(engine.plan(), initial_state(engine.plan(), 1),
                                          {{"run_state", position.dump()}}));
    return message(engine);
  };
  EXPECT_THAT(message_of("step", -1), HasSubstr("step is -1; it must be a whole number from 0"));
  EXPECT_THAT(message_of("epoch", 1e300), HasSubstr("epoch is 1e+300; it must be a whole number"));
  EXPECT_THAT(message_of("epoch", -5), HasSubstr("epoch is -5; "));
  EXPECT_THAT(message_of("epoch", 4294967297), HasSubstr("epoch is 4294967297; "));
  EXPECT_THAT(message_of("epoch", 2.5), HasSubstr("epoch is 2.5; "));
  EXPECT_THAT(message_of("correct", 5),
              HasSubstr("correct is 5; it must be a whole number from 0 to 4"));
  EXPECT_THAT(message_of("seconds", "x"),
              HasSubstr("seconds is \"x\"; it must be a number from 0"));
  EXPECT_THAT(message_of("metrics_bytes", nullptr), HasSubstr("metrics_bytes is null; "));
  testing::write_file(directory / "state", "half a fi");
  EXPECT_THAT(message(engine), HasSubstr("the file is truncated"));
}

// ---- its directory

TEST(ResumedDirectory, MetricsThatAreTooShort) {
  const TemporaryDirectory directory;
  testing::write_file(directory / "metrics.jsonl", "12345");
  EXPECT_THAT(error_of<InputError>([&] {
                RunDirectory::resume(directory.path(), RunLock(directory.path()), {}, 6);
              }),
              HasSubstr("lacks events that the run has written"));
  EXPECT_EQ(read_file(directory / "metrics.jsonl"), "12345");
}

TEST(ResumedDirectory, MetricsThatEndWithinAnEventOrAreALink) {
  const TemporaryDirectory directory;
  const auto message = [&](std::uintmax_t bytes) {
    return error_of<InputError>(
        [&] { RunDirectory::resume(directory.path(), RunLock(directory.path()), {}, bytes); });
  };
  testing::write_file(directory / "metrics.jsonl", "{}\n{}\n");
  EXPECT_THAT(message(4), HasSubstr("has no end of an event after 4 bytes, where the run stands"));
  EXPECT_EQ(read_file(directory / "metrics.jsonl"), "{}\n{}\n");
  std::filesystem::rename(directory / "metrics.jsonl", directory / "elsewhere");
  std::filesystem::create_symlink(directory / "elsewhere", directory / "metrics.jsonl");
  EXPECT_THAT(message(3), HasSubstr("is a link"));
  EXPECT_EQ(read_file(directory / "elsewhere"), "{}\n{}\n");
}

}  // namespace
}  // namespace digitron
