#include "host/train/step_capture.h"

#include <gmock/gmock.h>

#include <vector>

#include "host/core/error.h"
#include "tests/trainer_fixture.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string error_of(StepRange range, const StepLayout& layout) {
  try {
    const auto nothing = [] {};
    StepCapture(range, layout, nothing, nothing);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(StepRangeTest, IsTwoNumbersInOrder) {
  const StepRange range = parse_step_range("--steps", "200:240");
  EXPECT_EQ(range.first, 200);
  EXPECT_EQ(range.last, 240);
  for (const char* text : {"", ":", "200", "200:", ":240", "240:200", "0:3", "-1:3", "1:2:3", "a:b",
                           "1:99999999999999999999", " 1:2", "1.5:2"}) {
    try {
      parse_step_range("--steps", text);
      FAIL() << text;
    } catch (const InputError& error) {
      EXPECT_EQ(error.what(), "--steps is '" + std::string(text) +
                                  "'; give the first and the last step, counted from 1, such as "
                                  "200:240");
    }
  }
}

// An epoch of 937 whole batches and one of 32 images, as MNIST's at batch 64.
constexpr StepLayout kMnist{937, 938, 0, 9380, 32};

TEST(StepCaptureTest, BeginsAfterEveryGraphIsRecorded) {
  // Twice 32 steps, and twice 1.
  EXPECT_EQ(error_of({66, 70}, kMnist),
            "--profile-steps 66:70 begins before the step's graphs are recorded; the first step "
            "allowed is 67");
  EXPECT_EQ(error_of({67, 70}, kMnist), "");
  // A resumed run records again: here from step 901 on, and there are too few for a second graph.
  StepLayout resumed = kMnist;
  resumed.done = 900;
  EXPECT_THAT(error_of({901, 905}, resumed), HasSubstr("the first step allowed is 971"));
  // Without graphs there is nothing to wait for.
  StepLayout eager = kMnist;
  eager.steps_per_graph = 0;
  EXPECT_EQ(error_of({1, 1000}, eager), "");
  eager.done = 900;
  EXPECT_THAT(error_of({900, 1000}, eager), HasSubstr("the first step allowed is 901"));
}

TEST(StepCaptureTest, AnEpochThatIsTooShortForAGraphIsTakenInSingleSteps) {
  EXPECT_THAT(error_of({2, 9}, {10, 10, 0, 100, 32}), HasSubstr("the first step allowed is 3"));
  EXPECT_EQ(error_of({3, 9}, {10, 10, 0, 100, 32}), "");
}

TEST(StepCaptureTest, KnowsTheSmallerBatchesWhoseGraphIsNotRecorded) {
  EXPECT_EQ(error_of({930, 940}, kMnist),
            "--profile-steps 930:940 has step 938, an epoch's last and smaller batch, whose graph "
            "is not recorded yet; end before it, or the first step allowed is 1877");
  EXPECT_THAT(error_of({1800, 1900}, kMnist), HasSubstr("has step 1876"));
  EXPECT_EQ(error_of({930, 937}, kMnist), "");
  EXPECT_EQ(error_of({2800, 2900}, kMnist), "");
}

TEST(StepCaptureTest, RefusesStepsThatTheRunDoesNotHave) {
  EXPECT_EQ(
      error_of({9000, 9381}, kMnist),
      "--profile-steps 9000:9381 goes beyond the run, which has 9380 steps; give steps of it");
}

// What a run's calls of train are, as "first:last", and which of them are captured.
struct Calls {
  std::vector<std::string> before, captured, after;
};

Calls calls_of(StepRange range, const StepLayout& layout, int wanted) {
  int state = 0;
  StepCapture capture(
      range, layout, [&] { state = 1; }, [&] { state = 2; });
  Calls calls;
  for (int64_t done = layout.done; done < layout.total;) {
    const int left = layout.all - static_cast<int>(done % layout.all);
    const int steps = capture.next(done, left, wanted);
    auto& list = state == 0 ? calls.before : state == 1 ? calls.captured : calls.after;
    list.push_back(std::to_string(done + 1) + ":" + std::to_string(done + steps));
    done += steps;
    capture.finished(done);
  }
  return calls;
}

TEST(StepCaptureTest, CutsSlicesAtTheStepsAndRecordsBefore) {
  const Calls calls = calls_of({14, 25}, {20, 20, 0, 40, 4}, 3);
  EXPECT_THAT(calls.before, ElementsAre("1:4", "5:8", "9:9", "10:10", "11:13"));
  EXPECT_THAT(calls.captured, ElementsAre("14:20", "21:25"));  // over the end of an epoch
  EXPECT_THAT(calls.after, ElementsAre("26:28", "29:31", "32:34", "35:37", "38:40"));
}

TEST(StepCaptureTest, WithoutGraphsTheFirstStepCanBeCaptured) {
  const Calls calls = calls_of({1, 2}, {20, 20, 0, 20, 0}, 16);
  EXPECT_THAT(calls.before, IsEmpty());
  EXPECT_THAT(calls.captured, ElementsAre("1:2"));
  EXPECT_THAT(calls.after, ElementsAre("3:18", "19:20"));
}

class TrainerCaptureTest : public testing::TrainerTest {};

TEST_F(TrainerCaptureTest, ARunIsCutAtTheSteps) {
  int64_t started_at = -1, stopped_at = -1;
  engine_.configure(training_of(settings_));
  Trainer trainer(engine_, run_, settings_, kTrainCount, stop_);
  trainer.capture(StepCapture(
      {7, 12}, {9, 10, 0, 20, 0}, [&] { started_at = engine_.steps; },
      [&] { stopped_at = engine_.steps; }));
  EXPECT_EQ(trainer.run().steps, 20);
  EXPECT_EQ(started_at, 6);
  EXPECT_EQ(stopped_at, 12);
  EXPECT_EQ(engine_.steps, 20);
}

}  // namespace
}  // namespace digitron
