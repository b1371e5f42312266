#include "host/bench/sampler.h"

#include <gmock/gmock.h>

#include <cmath>

#include "host/bench/work.h"
#include "host/core/error.h"
#include "tests/data_testing.h"
#include "tests/fake_engine.h"

namespace digitron {
namespace {

using ::testing::Each;
using testing::error_of;
using testing::FakeEngine;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A clock that only calls move on, by what they are said to take.
class SamplerTest : public ::testing::Test {
 protected:
  // Ten steps, each of the next time of the list, which begins again at its end.
  Call ten_steps() {
    Call call{false, {}, 10, 0};
    for (int i = 0; i < 10; ++i) {
      call.seconds.push_back(times_[next_++ % times_.size()]);
      call.host_seconds += call.seconds.back();
    }
    time_ += call.host_seconds;
    return call;
  }
  Samples sample(const SamplerSettings& settings, const std::function<bool()>& disturbed = {}) {
    return take_samples([this] { return ten_steps(); }, settings, disturbed,
                        [this] { return time_; });
  }

  std::vector<double> times_{0.001};
  size_t next_ = 0;
  double time_ = 7;
};

TEST_F(SamplerTest, StopsWhenTheNoiseIsLowAndNotBeforeTheLeastTime) {
  const Samples samples = sample({.warmup = 0.2, .min_time = 0.5, .max_noise = 0.5, .timeout = 9});
  EXPECT_EQ(samples.stopped, "noise");
  EXPECT_EQ(samples.missed, "");
  EXPECT_GE(samples.seconds.size(), 500u);
  EXPECT_LE(samples.seconds.size(), 620u) << "a stretch more at most";
  EXPECT_NEAR(static_cast<double>(samples.warmup), 200, 10);
  EXPECT_EQ(samples.host_seconds.size(), samples.seconds.size() / 10);
  for (const double seconds : samples.host_seconds) EXPECT_NEAR(seconds, 0.001, 1e-9);
}

// The other one takes its turn between pass and wait, while the clock goes on.
TEST_F(SamplerTest, SlicesAreTakenByTurns) {
  times_ = {0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.001, 0.004};
  std::string turns;
  const Samples samples =
      take_slices([this] { return ten_steps(); }, {.warmup = 0.01, .min_time = 0.05},
                  {[&] {
                     turns += "<";
                     time_ += 5;
                   },
                   [&] { turns += ">"; }},
                  [this] { return time_; });
  EXPECT_EQ(turns, "<><><><>") << "the first of them to warm up";
  EXPECT_THAT(samples.slices, ::testing::ElementsAre(0.001, 0.001, 0.001));
  EXPECT_EQ(samples.warmup, 10);
  EXPECT_THAT(samples.seconds, SizeIs(60)) << "two calls fill a slice of 0.0167 s";
  EXPECT_EQ(samples.stopped, "turns");
  EXPECT_EQ(samples.missed, "");
}

TEST_F(SamplerTest, ATimeoutNamesWhatIsMissed) {
  times_ = {};
  for (int i = 1; i <= 10000; ++i) times_.push_back(1e-6 * i);  // slower and slower
  const Samples samples = sample({.warmup = 0, .min_time = 0.1, .max_noise = 0.5, .timeout = 3});
  EXPECT_EQ(samples.stopped, "timeout");
  EXPECT_THAT(samples.missed, ::testing::MatchesRegex("--max-noise 0\\.5 %: [0-9]+\\.[0-9]+ %"));
}

TEST_F(SamplerTest, ATimeoutOfNothingTakesOneCall) {
  const Samples samples = sample({.warmup = 0, .min_time = 0, .max_noise = 0.5, .timeout = 0});
  EXPECT_THAT(samples.seconds, SizeIs(10));
  EXPECT_EQ(samples.missed, "") << "ten equal samples have no noise";
}

TEST_F(SamplerTest, FewSamplesAreNotEnough) {
  int calls = 0;
  const Samples samples = take_samples(
      [&] {
        ++calls;
        time_ += 1;
        return Call{true, {1.0}, 1, 1.0};
      },
      {.warmup = 0, .min_time = 0, .max_noise = 0.5, .timeout = 4}, {}, [&] { return time_; });
  EXPECT_TRUE(samples.device_clock);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(samples.missed, "10 samples: 4");
}

// As where a GPU was throttled for a while: those samples are taken again.
TEST_F(SamplerTest, DisturbedStretchesAreRepeated) {
  FakeEngine engine(make_plan(parse_model("fc 10"), 8));
  TrainingCalls calls(engine, 100, 0.01);
  int stretch = 0;
  const auto slow = [&] { return stretch < 3; };
  const Samples samples = take_samples(
      [&] {
        engine.seconds = slow() ? 0.024 : 0.012;  // of a call of four steps
        time_ += engine.seconds;
        return calls.take(4);
      },
      {.warmup = 0, .min_time = 0.1, .max_noise = 0.5, .timeout = 9}, [&] { return stretch++ < 3; },
      [&] { return time_; });
  EXPECT_EQ(samples.stopped, "noise");
  EXPECT_THAT(samples.seconds, Each(0.003));
  EXPECT_EQ(samples.discarded, 3 * 5) << "calls of 24 ms in a tenth of a second";
}

TEST_F(SamplerTest, WhereAllAreDisturbedTheyCountAndItIsSaid) {
  const Samples samples =
      sample({.warmup = 0, .min_time = 0.1, .max_noise = 0.5, .timeout = 1}, [] { return true; });
  EXPECT_GE(samples.seconds.size(), 1000u);
  EXPECT_EQ(samples.discarded, 0);
  EXPECT_EQ(samples.stopped, "timeout");
  EXPECT_EQ(samples.missed, "an undisturbed stretch: none");
}

TEST(NoiseTest, IsTheStandardErrorOfTheMedianByParts) {
  std::vector<double> samples;
  for (int i = 0; i < 2000; ++i) samples.push_back((i / 100) % 2 == 0 ? 1 : 3);
  // Parts of 100 have medians 1 and 3 in turn: a deviation of sqrt(20 / 19), around a median of 2.
  EXPECT_NEAR(noise(samples), std::sqrt(20.0 / 19) / std::sqrt(20.0) / 2, 1e-12);
}

TEST(NoiseTest, ASlowStepCountsForNothingADriftForMuch) {
  std::vector<double> samples(1000, 1.0);
  samples[500] = 100;
  EXPECT_EQ(noise(samples), 0);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = i < 500 ? 1 : 1.2;
  EXPECT_GT(noise(samples), 0.01);
}

TEST(NoiseTest, IsInfiniteForFew) {
  EXPECT_TRUE(std::isinf(noise(std::vector<double>(9, 1.0))));
  EXPECT_EQ(noise(std::vector<double>(10, 1.0)), 0);
}

TEST(PercentileTest, LiesBetweenNeighbours) {
  const std::vector<double> sorted{1, 2, 3, 4, 5};
  EXPECT_DOUBLE_EQ(percentile(sorted, 0), 1);
  EXPECT_DOUBLE_EQ(percentile(sorted, 50), 3);
  EXPECT_DOUBLE_EQ(percentile(sorted, 90), 4.6);
  EXPECT_DOUBLE_EQ(percentile(sorted, 100), 5);
}

TEST(SamplerSettingsTest, NonsenseIsNamed) {
  const auto error = [](const SamplerSettings& settings) {
    return error_of<InputError>([&] { check_settings(settings); });
  };
  EXPECT_NO_THROW(check_settings(SamplerSettings{}));
  EXPECT_THAT(error({.warmup = -1}), HasSubstr("--warmup is -1; give 0 to 86400 seconds"));
  EXPECT_THAT(error({.max_noise = 101}), HasSubstr("--max-noise is 101; give 0 to 100 percent"));
  EXPECT_THAT(error({.timeout = std::nan("")}), HasSubstr("--timeout is nan; give 0 to"));
  EXPECT_THAT(error({.min_time = 20}), HasSubstr("--timeout is 15, less than --min-time, 20"));
}

}  // namespace
}  // namespace digitron
