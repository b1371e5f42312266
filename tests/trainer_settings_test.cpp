// What --resume, schedules, averages, validation and patience ask of the trainer.
#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "host/files/json.h"
#include "host/train/schedule.h"
#include "tests/trainer_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using testing::FakeEngine;
using ::testing::HasSubstr;
using testing::TrainerTest;

// Everything of an epoch is a fresh engine's from its saved state on, the interrupted one included.
TEST_F(TrainerTest, AnInterruptedRunGoesOnWithinItsEpoch) {
  settings_.log_steps = true;
  const auto on_step = [](int64_t step) { return Metrics{0.1 * static_cast<double>(step), 3, 4}; };
  engine_.on_step = [&](int64_t step) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that a slice is not the epoch
    if (step == 12) stop_ = true;
    return on_step(step);
  };
  const TrainResult first = run();
  ASSERT_TRUE(first.interrupted && first.steps < 20);
  EXPECT_EQ(events().back()["interrupted"], true);

  FakeEngine fresh(engine_.plan());
  const RunState state = load_run_state(state_path(directory_.path()), fresh);
  EXPECT_EQ(fresh.state(State::kParameters), engine_.state(State::kParameters));
  fresh.steps = first.steps;
  fresh.on_step = on_step;
  stop_ = false;
  RunDirectory resumed = resumed_run(state);
  const TrainResult second = Trainer(fresh, resumed, settings_, kTrainCount, stop_).run(state);
  EXPECT_EQ(second.steps, 20);
  EXPECT_EQ(fresh.slices.front().epoch, 2);
  EXPECT_EQ(fresh.slices.front().first, first.steps - 10);
  const std::vector<json> all = events();
  ASSERT_EQ(all.size(), 22u) << "the interrupted epoch's event is gone";
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(all[11 + i]["step"], 11 + i);
  double sum = 0;
  for (int step = 11; step <= 20; ++step) sum += 0.1 * step;
  EXPECT_EQ(all[21]["train_loss"], sum / 40);
  EXPECT_FALSE(all[21].contains("interrupted"));
}

TEST_F(TrainerTest, RatesFollowTheSchedule) {
  settings_.schedule = Schedule::kCosine;
  settings_.warmup = 0.5;
  run();
  ASSERT_EQ(engine_.rates.size(), 20u);
  for (size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(engine_.rates[i].lr,
              static_cast<float>(learning_rate(settings_, static_cast<int64_t>(i), 10)));
  }
  EXPECT_LT(engine_.rates[0].lr, engine_.rates[5].lr);
}

TEST_F(TrainerTest, TheAverageIsWhatIsSaved) {
  settings_.ema = 0.5;
  engine_.set_state(State::kAverage, std::vector<float>(engine_.plan().parameter_floats, 0.75f));
  run();
  const ModelState saved = load_state(directory_ / "model.safetensors", engine_.plan());
  EXPECT_EQ(saved.parameters[3], 0.75f);
}

TEST_F(TrainerTest, AValidationSetHasItsOwnNamesAndTheTestSetComesLast) {
  settings_.validation = 5;
  engine_.configure(training_of(settings_));
  Trainer trainer(engine_, run_, settings_, kTrainCount, stop_);
  EXPECT_FALSE(trainer.run().test.has_value());
  engine_.on_evaluate = [] { return Metrics{8.0, 1, 4}; };
  EXPECT_EQ(trainer.test().correct, 1);
  const std::vector<json> all = events();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0]["validation_loss"], 0.6);
  EXPECT_EQ(all[0]["validation_accuracy"], 0.8);
  EXPECT_FALSE(all[0].contains("test_loss"));
  EXPECT_EQ(all[2],
            json({{"event", "final"}, {"epoch", 2}, {"test_loss", 2.0}, {"test_accuracy", 0.25}}));
  EXPECT_THAT(log_.str(), HasSubstr(" | Validation Loss: 0.6000, Validation Acc: 80.00% | "));
}

// Losses by epoch: the third is the best, NaN-free, and two epochs later it is over.
TEST_F(TrainerTest, PatienceEndsTheRunAndKeepsTheBestEpoch) {
  settings_.epochs = 10;
  settings_.validation = 5;
  settings_.patience = 2;
  const std::vector<double> losses{5, 3, 2, 2, 4};
  engine_.on_evaluate = [&] { return Metrics{losses.at(size_t(engine_.evaluations) - 1), 4, 5}; };
  engine_.configure(training_of(settings_));
  Trainer trainer(engine_, run_, settings_, kTrainCount, stop_);
  EXPECT_EQ(trainer.run().steps, 50);
  EXPECT_EQ(saved_step(), "30");
  EXPECT_THAT(log_.str(),
              HasSubstr("Stopped early: epoch 3 has had the best validation loss, 0.4000"));
  engine_.on_evaluate = [] { return Metrics{1, 4, 5}; };
  trainer.test();
  EXPECT_EQ(engine_.state(State::kParameters)[0], 30.0f) << "the best epoch's parameters";
  EXPECT_EQ(events().back()["epoch"], 3);

  // Resumed, it is over at once.
  FakeEngine fresh(engine_.plan());
  const RunState state = load_run_state(state_path(directory_.path()), fresh);
  RunDirectory resumed = resumed_run(state);
  Trainer again(fresh, resumed, settings_, kTrainCount, stop_);
  EXPECT_EQ(again.run(state).steps, 50);
  EXPECT_TRUE(fresh.slices.empty());
  again.test();
  EXPECT_EQ(fresh.state(State::kParameters)[0], 30.0f);
  EXPECT_EQ(events().size(), 6u);
}

}  // namespace
}  // namespace digitron
