#include "host/run/train_settings.h"

#include <gmock/gmock.h>

#include <cmath>

#include "host/error.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(TrainSettingsTest, DefaultsAreTheReferenceJob) {
  const TrainSettings settings;
  EXPECT_NO_THROW(check_settings(settings));
  EXPECT_EQ(settings.batch, 64);
  EXPECT_EQ(settings.epochs, 10);
  EXPECT_EQ(settings.lr, 0.01);
  EXPECT_EQ(settings.momentum, 0.9);
}

TEST(TrainSettingsTest, NonsenseIsNamed) {
  const auto message_of = [](auto change) {
    TrainSettings settings;
    change(settings);
    return error_of<InputError>([&] { check_settings(settings); });
  };
  for (const double lr : {-0.1, std::nan(""), HUGE_VAL, 1e39}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.lr = lr; }),
                MatchesRegex("--lr is .*; give a number of 0 or more, such as 0\\.01"));
  }
  for (const double momentum : {-0.1, 1.0, 0.999999999, std::nan(""), HUGE_VAL}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.momentum = momentum; }),
                MatchesRegex("--momentum is .*; give a number from 0 to below 1.*"));
  }
  for (const double decay : {-1e-9, std::nan(""), 1e39}) {
    EXPECT_THAT(message_of([&](TrainSettings& s) { s.weight_decay = decay; }),
                HasSubstr("; give a number of 0 or more, such as 0.0005"));
  }
  EXPECT_EQ(message_of([](TrainSettings& s) { s.epochs = 0; }), "--epochs is 0; give 1 or more");
  EXPECT_EQ(message_of([](TrainSettings& s) { s.batch = 0; }),
            "--batch is 0; give 1 or more images");
  EXPECT_THAT(message_of([](TrainSettings& s) { s.max_steps = 0; }),
              HasSubstr("--max-steps is 0; give 1"));
  EXPECT_NO_THROW(check_batch(60000, 60000));
  EXPECT_EQ(error_of<InputError>([] { check_batch(60001, 60000); }),
            "--batch is 60001, but the training set has 60000 images; give at most that many");
}

}  // namespace
}  // namespace digitron
