#include "host/train/trainer.h"

#include <gmock/gmock.h>

#include <chrono>
#include <limits>
#include <thread>

#include "host/core/error.h"
#include "host/files/json.h"
#include "tests/file_size_limit.h"
#include "tests/trainer_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using testing::error_of;
using testing::FakeEngine;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::read_file;
using testing::TrainerTest;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST_F(TrainerTest, TakesEveryStepOfEveryEpochInOrder) {
  settings_.lr = 0.5;
  settings_.momentum = 0.25;
  settings_.weight_decay = 0.125;
  settings_.seed = 7;
  settings_.shuffle = false;
  const TrainResult result = run();
  EXPECT_EQ(result.steps, 20);
  EXPECT_FALSE(result.interrupted);
  EXPECT_EQ(result.test->correct, 4);
  int epoch = 1, next = 0;
  for (const FakeEngine::Slice& slice : engine_.slices) {
    if (next == 10) {
      next = 0;
      ++epoch;
    }
    EXPECT_EQ(slice.epoch, epoch);
    EXPECT_EQ(slice.first, next);
    EXPECT_GT(slice.last, slice.first);
    next = slice.last;
  }
  EXPECT_EQ(epoch, 2);
  EXPECT_EQ(next, 10);
  EXPECT_EQ(engine_.rates.front().lr, 0.5f);
  EXPECT_EQ(engine_.training().optimizer.momentum, 0.25f);
  EXPECT_EQ(engine_.training().optimizer.weight_decay, 0.125f);
  EXPECT_EQ(engine_.training().seed, 7u);
  EXPECT_FALSE(engine_.training().shuffle);
}

TEST_F(TrainerTest, EachEpochHasAnEventALineAndACheckpoint) {
  engine_.on_step = [](int64_t step) { return Metrics{0.25 * static_cast<double>(step), 3, 4}; };
  run();
  EXPECT_EQ(engine_.evaluations, 2);
  const std::vector<json> all = events();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1]["event"], "epoch");
  EXPECT_EQ(all[1]["epoch"], 2);
  EXPECT_EQ(all[1]["train_loss"], 0.25 * 155 / 40);
  EXPECT_EQ(all[1]["train_accuracy"], 0.75);
  EXPECT_EQ(all[1]["test_loss"], 0.6);
  EXPECT_EQ(all[1]["test_accuracy"], 0.8);
  EXPECT_GT(all[1]["seconds"], 0);
  EXPECT_GT(all[1]["images_per_second"], 0);
  EXPECT_FALSE(all[1].contains("interrupted"));
  EXPECT_EQ(saved_step(), "20");
  EXPECT_THAT(log_.str(),
              MatchesRegex(
                  "fc 10 \\| Epoch \\[1/2\\]: Train Loss: 0\\.3438, Train Acc: 75\\.00% \\| "
                  "Test Loss: 0\\.6000, Test Acc: 80\\.00% \\| 0\\.[0-9][0-9] s, [0-9,]+ images/s\n"
                  "fc 10 \\| Epoch \\[2/2\\]: .*\n"));
}

TEST_F(TrainerTest, RunningStatisticsAreSavedAndCheckedToo) {
  FakeEngine engine(make_plan(parse_model("bn, fc 10"), 4));
  std::vector<float> buffers = engine.state(State::kRunningStatistics);
  buffers[0] = 3;
  engine.set_state(State::kRunningStatistics, buffers);
  RunState start;
  start.batches_before = 100;
  Trainer(engine, run_, settings_, kTrainCount, stop_).run(start);
  const ModelState state = load_state(directory_ / "model.safetensors", engine.plan());
  EXPECT_EQ(state.buffers, buffers);
  EXPECT_EQ(state.batches_tracked, 120);

  buffers[0] = kNan;
  engine.set_state(State::kRunningStatistics, buffers);
  const std::string error =
      error_of<InputError>([&] { Trainer(engine, run_, settings_, kTrainCount, stop_).run(); });
  EXPECT_THAT(error, HasSubstr("not finite"));
  EXPECT_EQ(load_state(directory_ / "model.safetensors", engine.plan()).buffers, state.buffers);
}

TEST_F(TrainerTest, CheckpointSaysWhatItIs) {
  run();
  SafetensorsFile file(directory_ / "model.safetensors");
  Metadata metadata = file.metadata();
  EXPECT_FALSE(metadata.extract("digitron").empty());
  EXPECT_EQ(metadata,
            (Metadata{{"format", "pt"},
                      {"model", "fc 10"},
                      {"name", "fc 10"},
                      {"layers", "fc 10"},
                      {"task", R"({"image":[1,28,28],"classes":["0","1","2","3","4","5","6",)"
                               R"("7","8","9"],"mean":[0.1307],"deviation":[0.3081]})"},
                      {"epoch", "2"},
                      {"step", "20"}}));
}

TEST_F(TrainerTest, LogsEveryStepWhenAsked) {
  settings_.log_steps = true;
  engine_.on_step = [](int64_t step) { return Metrics{static_cast<double>(step), 0, 4}; };
  run();
  const std::vector<json> all = events();
  ASSERT_EQ(all.size(), 22u);
  EXPECT_EQ(all[0], json({{"event", "step"}, {"epoch", 1}, {"step", 1}, {"loss", 0.25}}));
  EXPECT_EQ(all[10]["event"], "epoch");
  EXPECT_EQ(all[11], json({{"event", "step"}, {"epoch", 2}, {"step", 11}, {"loss", 2.75}}));
}

TEST_F(TrainerTest, MaxStepsEndsWithinAnEpochAsAtItsEnd) {
  settings_.max_steps = 13;
  EXPECT_EQ(run().steps, 13);
  EXPECT_EQ(engine_.slices.back().last, 3);
  const std::vector<json> all = events();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1]["epoch"], 2);
  EXPECT_TRUE(all[1].contains("test_loss"));
  EXPECT_EQ(saved_step(), "13");
}

TEST_F(TrainerTest, MaxStepsAtAnEpochsEndStartsNoOther) {
  settings_.max_steps = 10;
  EXPECT_EQ(run().steps, 10);
  EXPECT_EQ(events().size(), 1u);
  EXPECT_EQ(engine_.evaluations, 1);
}

TEST_F(TrainerTest, SlicesAreShort) {
  using namespace std::chrono_literals;
  settings_.epochs = 1;
  engine_.on_step = [](int64_t) {
    std::this_thread::sleep_for(30ms);
    return Metrics{1, 1, 4};
  };
  run();
  for (const FakeEngine::Slice& slice : engine_.slices) EXPECT_LE(slice.last - slice.first, 4);
}

TEST_F(TrainerTest, SlicesDoNotGrowBeyondAnEpoch) {
  settings_.epochs = 40;  // every one of them is over in less than a slice's time
  EXPECT_EQ(run().steps, 400);
}

TEST_F(TrainerTest, SecondsAreOfTheTrainingPassAlone) {
  using namespace std::chrono_literals;
  engine_.on_evaluate = [] {
    std::this_thread::sleep_for(300ms);
    return Metrics{1, 1, 4};
  };
  settings_.epochs = 1;
  run();
  EXPECT_LT(events()[0]["seconds"], 0.25);
}

TEST_F(TrainerTest, InterruptedWithinAnEpoch) {
  engine_.on_step = [this](int64_t step) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that a slice is not the epoch
    if (step == 12) stop_ = true;
    return Metrics{2, 1, 4};
  };
  const TrainResult result = run();
  EXPECT_TRUE(result.interrupted);
  EXPECT_GE(result.steps, 12);
  EXPECT_LT(result.steps, 20);
  const std::vector<json> all = events();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1]["epoch"], 2);
  EXPECT_EQ(all[1]["interrupted"], true);
  EXPECT_EQ(all[1]["train_loss"], 0.5);
  EXPECT_FALSE(all[1].contains("test_loss"));
  EXPECT_EQ(engine_.evaluations, 1);
  EXPECT_EQ(saved_step(), std::to_string(result.steps));
  EXPECT_THAT(log_.str(), HasSubstr("Interrupted in epoch 2 of 2, after "));
}

TEST_F(TrainerTest, InterruptedBeforeTheFirstStep) {
  stop_ = true;
  EXPECT_TRUE(run().interrupted);
  EXPECT_TRUE(events().empty());
  EXPECT_FALSE(saved());
}

TEST_F(TrainerTest, InterruptedAfterTheLastStepIsAWholeRun) {
  engine_.on_step = [this](int64_t step) {
    if (step == 20) stop_ = true;
    return Metrics{2, 1, 4};
  };
  EXPECT_FALSE(run().interrupted);
  EXPECT_EQ(events().size(), 2u);
}

TEST_F(TrainerTest, NotANumberStopsAtItsStepAndKeepsTheLastCheckpoint) {
  settings_.log_steps = true;
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    engine_.steps = 0;
    engine_.on_step = [bad](int64_t step) { return Metrics{step >= 13 ? bad : 1.0, 1, 4}; };
    const std::string message = error_of<InputError>([&] { run(); });
    EXPECT_THAT(message, HasSubstr("the loss is not finite any more at step 13 (epoch 2)"));
    EXPECT_THAT(message, HasSubstr("give a --lr below 0.01"));
    EXPECT_THAT(message,
                HasSubstr((directory_ / "model.safetensors").string() + " is as of epoch 1"));
    EXPECT_EQ(saved_step(), "10");
    EXPECT_EQ(events().back()["step"], 12);
  }
}

TEST_F(TrainerTest, NotANumberBeforeTheFirstCheckpoint) {
  engine_.on_step = [](int64_t) { return Metrics{kNan, 0, 4}; };
  EXPECT_THAT(error_of<InputError>([&] { run(); }), HasSubstr("step 1 (epoch 1)"));
  EXPECT_FALSE(saved());
  EXPECT_TRUE(events().empty());
}

// The last step's update may go wrong after its loss was measured.
TEST_F(TrainerTest, ParametersThatAreNotNumbersAreNotSaved) {
  engine_.on_evaluate = [this] {
    engine_.set_state(State::kParameters,
                      std::vector<float>(engine_.plan().parameter_floats, kNan));
    return Metrics{1, 1, 4};
  };
  EXPECT_THAT(error_of<InputError>([&] { run(); }), HasSubstr("step 10 (epoch 1)"));
  EXPECT_FALSE(saved());
  engine_.on_evaluate = [] { return Metrics{kNan, 0, 4}; };
  EXPECT_THAT(error_of<InputError>([&] { run(); }), HasSubstr("not finite"));
  EXPECT_TRUE(events().empty());
}

TEST_F(TrainerTest, FullDiskKeepsTheLastCheckpoint) {
  settings_.epochs = 1;
  run();
  const std::string before = read_file(directory_ / "model.safetensors");
  const testing::FileSizeLimit limit(1000);
  const std::string message = error_of<MachineError>([&] { run(); });
  EXPECT_THAT(message, HasSubstr((directory_ / "model.safetensors").string()));
  EXPECT_TRUE(read_file(directory_ / "model.safetensors") == before);
  EXPECT_EQ(testing::names_in(directory_.path()).size(), 5u);
}

}  // namespace
}  // namespace digitron
