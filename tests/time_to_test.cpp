#include "host/bench/time_to.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "host/core/error.h"
#include "host/files/json.h"
#include "tests/fake_engine.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using testing::error_of;
using testing::FakeEngine;
using ::testing::HasSubstr;
using testing::read_file;
using ::testing::SizeIs;

constexpr int kTrainCount = 39;  // 10 steps of 4, the last one ragged

// An engine that gets so many of 10,000 images right, one number an evaluation.
class TrainToTest : public ::testing::Test {
 protected:
  TimedRun train(std::vector<int64_t> correct, double accuracy = 0.99) {
    engine_.on_evaluate = [this, correct] {
      return Metrics{1.0, correct.at(static_cast<size_t>(engine_.evaluations) - 1), 10000};
    };
    return train_to(engine_, settings_, kTrainCount, accuracy);
  }

  FakeEngine engine_{make_plan(parse_model("fc 10"), 4)};
  TrainSettings settings_{.epochs = 3, .batch = 4};
};

TEST_F(TrainToTest, StopsAtTheFirstEpochThatShowsTheAccuracy) {
  const TimedRun run = train({9899, 9900, 9950});
  EXPECT_TRUE(run.reached) << "99 % itself is 99 %";
  EXPECT_EQ(run.epochs, 2);
  EXPECT_EQ(run.steps, 20);
  EXPECT_EQ(run.held_out.correct, 9900);
  EXPECT_EQ(engine_.steps, 20);
}

TEST_F(TrainToTest, AMissLastsToTheEndOfTheEpochs) {
  const TimedRun run = train({9899, 9900, 9899}, 0.9901);
  EXPECT_FALSE(run.reached);
  EXPECT_EQ(run.epochs, 3);
  EXPECT_EQ(run.steps, 30);
  EXPECT_EQ(run.held_out.correct, 9899) << "the newest, not the best";
}

TEST_F(TrainToTest, MaxStepsEndARunWithinItsEpochAndItIsEvaluatedThere) {
  settings_.max_steps = 13;
  const TimedRun run = train({1, 9950});
  EXPECT_TRUE(run.reached);
  EXPECT_EQ(run.steps, 13);
  ASSERT_THAT(engine_.slices, SizeIs(2));
  EXPECT_EQ(engine_.slices[1].epoch, 2);
  EXPECT_EQ(engine_.slices[1].last, 3);
}

TEST_F(TrainToTest, TheScheduleIsThatOfTrain) {
  settings_.schedule = Schedule::kStep;
  settings_.step_epochs = 1;
  train({0, 0, 0});
  ASSERT_THAT(engine_.rates, SizeIs(30));
  EXPECT_FLOAT_EQ(engine_.rates[9].lr, 0.01f);
  EXPECT_FLOAT_EQ(engine_.rates[10].lr, 0.001f);
}

TEST_F(TrainToTest, ADivergedRunIsAMissAndTrainsNoLonger) {
  engine_.on_evaluate = [] {
    return Metrics{std::numeric_limits<double>::quiet_NaN(), 10000, 10000};
  };
  const TimedRun run = train_to(engine_, settings_, kTrainCount, 0.99);
  EXPECT_FALSE(run.reached);
  EXPECT_EQ(run.epochs, 1);
}

TimedRun timed(double seconds, int64_t correct, bool reached) {
  return {.seed = 1,
          .seconds = {.start = 0.25, .training = seconds - 0.25},
          .held_out = {1.0, correct, 100},
          .reached = reached};
}

TEST(TimeToSummaryTest, CountsMissesToo) {
  const std::vector<TimedRun> runs{timed(4, 90, true), timed(1, 92, true), timed(9, 88, false),
                                   timed(2, 90, true)};
  const TimeToSummary summary = summary_of(runs);
  EXPECT_DOUBLE_EQ(summary.mean, 4);
  EXPECT_DOUBLE_EQ(summary.median, 3);
  EXPECT_DOUBLE_EQ(summary.olympic_mean.value(), 3) << "without 1 and 9";
  EXPECT_DOUBLE_EQ(summary.mean_training, 3.75);
  EXPECT_EQ(summary.misses, 1);
  EXPECT_DOUBLE_EQ(summary.accuracy.mean, 0.9);
}

TEST(TimeToSummaryTest, TwoRunsHaveNoOlympicMean) {
  const std::vector<TimedRun> runs{timed(4, 90, true), timed(1, 92, true)};
  EXPECT_FALSE(summary_of(runs).olympic_mean.has_value());
  EXPECT_DOUBLE_EQ(summary_of({runs.data(), 1}).median, 4);
}

class TimeToTest : public testing::ProgramTest {
 protected:
  static testing::ProgramResult time_to(std::vector<std::string> more) {
    std::vector<std::string> arguments{"bench",    "--model", "fc 10",   "--data", data(),
                                       "--device", "cpu",     "--batch", "16",     "--epochs",
                                       "3",        "--lr",    "0.1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return testing::run_program(arguments);
  }
};

std::vector<std::string> keys_of(const json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

TEST_F(TimeToTest, TheFileHasItsSchema) {
  const auto result = time_to({"--time-to", "0.5", "--seeds", "3,7", "--json", file("t.json")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\nSeed 7: "));
  EXPECT_THAT(result.out, HasSubstr("\nTime to 50%: mean "));
  const json report = json::parse(read_file(file("t.json")));
  EXPECT_THAT(keys_of(report),
              ::testing::UnorderedElementsAre(
                  "schema", "build", "machine", "command", "date", "target", "model", "text",
                  "device", "precision", "data", "evaluated_on", "settings", "runs", "summary"));
  EXPECT_EQ(report["schema"], "digitron-time-to/1");
  EXPECT_EQ(report["target"], 0.5);
  EXPECT_EQ(report["evaluated_on"], "test");
  EXPECT_EQ(report["settings"]["batch"], 16);
  EXPECT_FALSE(report["settings"].contains("seed"));
  ASSERT_THAT(report["runs"], SizeIs(2));
  EXPECT_EQ(report["runs"][1]["seed"], 7);
  for (const json& run : report["runs"]) {
    EXPECT_THAT(keys_of(run), ::testing::UnorderedElementsAre(
                                  "seed", "reached", "seconds", "data_seconds", "start_seconds",
                                  "training_seconds", "evaluation_seconds", "epochs", "steps",
                                  "loss", "accuracy"));
    double sum = 0;
    for (const char* part : {"data", "start", "training", "evaluation"}) {
      sum += run[std::string(part) + "_seconds"].get<double>();
    }
    EXPECT_DOUBLE_EQ(run["seconds"].get<double>(), sum);
    EXPECT_EQ(run["reached"].get<bool>(), run["accuracy"].get<double>() >= 0.5);
  }
  EXPECT_THAT(keys_of(report["summary"]),
              ::testing::UnorderedElementsAre("mean_seconds", "median_seconds",
                                              "olympic_mean_seconds", "mean_training_seconds",
                                              "misses", "mean_accuracy", "accuracy_deviation"));
  EXPECT_TRUE(report["summary"]["olympic_mean_seconds"].is_null());
}

TEST_F(TimeToTest, TrainsWhatTrainTrains) {
  const std::vector<std::string> options{"--epochs", "2", "--lr", "1e-5", "--ema", "0.9"};
  std::vector<std::string> more{"--time-to", "1", "--seeds", "1", "--json", file("t.json")};
  more.insert(more.end(), options.begin(), options.end());
  ASSERT_EQ(time_to(more).exit_code, 0);
  more = {"--device", "cpu", "--batch", "16"};
  more.insert(more.end(), options.begin(), options.end());
  ASSERT_EQ(train(more).exit_code, 0);
  const json run = json::parse(read_file(file("t.json")))["runs"][0];
  const std::string metrics = read_file(out() + "/metrics.jsonl");
  const json last = json::parse(metrics.substr(metrics.rfind("{\"event\"")));
  EXPECT_EQ(run["epochs"], 2);
  EXPECT_EQ(run["loss"], last["test_loss"]);
  EXPECT_EQ(run["accuracy"], last["test_accuracy"]);
}

TEST_F(TimeToTest, WithAValidationSetThatIsWhatCounts) {
  ASSERT_EQ(
      time_to({"--time-to", "1", "--seeds", "1", "--validation", "30", "--json", file("t.json")})
          .exit_code,
      0);
  const json report = json::parse(read_file(file("t.json")));
  EXPECT_EQ(report["evaluated_on"], "validation");
  const double right = 30 * report["runs"][0]["accuracy"].get<double>();
  EXPECT_NEAR(right, std::round(right), 1e-9) << "30 images, not 50";
}

TEST_F(TimeToTest, BadRequestsAreNamed) {
  for (const char* accuracy : {"1.5", "0", "-1", "nan", "99"}) {
    expect_error(time_to({"--time-to", accuracy}), 2, "; give an accuracy above 0, up to 1");
  }
  expect_error(time_to({"--time-to", "0.9", "--seeds", "5-1"}), 2, "--seeds is '5-1'; give ");
  expect_error(time_to({"--seeds", "1"}), 2, "--seeds requires --time-to");
  expect_error(time_to({"--time-to", "0.9", "--repeat", "3"}), 2, "--repeat excludes --time-to");
  expect_error(time_to({"--time-to", "0.9", "--seed", "3"}), 2, "--seed does not go with");
  expect_error(time_to({"--time-to", "0.9", "--batch", "8"}), 2,
               "--batch has 2 values, but --time-to takes one");
  expect_error(time_to({"--time-to", "0.9", "--epochs", "0"}), 2, "--epochs is 0");
  expect_error(time_to({"--time-to", "0.9", "--validation", "200"}), 2, "--validation is 200");
}

TEST_F(TimeToTest, WhatATrainingWritesOrStopsAtIsNotForIt) {
  TimeToRequest request{0.9, {1}, {}};
  request.session.model = "fc 10";
  request.session.settings = {{"log_steps", true}};
  EXPECT_THAT(error_of<InputError>([&] { run_time_to(request); }),
              HasSubstr("--log-steps does not go with --time-to"));
  request.session.settings = {{"validation", 9}, {"patience", 1}};
  EXPECT_THAT(error_of<InputError>([&] { run_time_to(request); }),
              HasSubstr("--patience does not go with --time-to"));
}

}  // namespace
}  // namespace digitron
