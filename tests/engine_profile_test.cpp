// Engine::profile of the engines on the host: it trains as train does, and its phases and its
// timeline are the whole of a step.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "host/core/devices.h"
#include "host/reference/reference_engine.h"
#include "tests/engine_testing.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;

constexpr int kProfiledBatch = 64;  // four blocks: one for each of three threads, and one for all
constexpr int kProfiledImages = 200;
constexpr int kSteps = 3;
constexpr const char* kEveryKind =
    "conv 3x5, relu, maxpool 2, conv 2x3, bn, relu, avgpool 2, fc 20, relu, dropout 0.5, fc 10";

// By the word after --device, "cpu" with three threads.
std::unique_ptr<Engine> engine_on(const std::string& device, const Plan& plan) {
  std::unique_ptr<Engine> engine = std::make_unique<ReferenceEngine<double>>(plan);
  if (device == "cpu") engine = make_cpu_engine(plan, 3);
  engine->load(testing::random_dataset(kProfiledImages, 1), testing::random_dataset(1, 2));
  engine->set_state(State::kParameters, testing::varied_parameters(plan, 3));
  return engine;
}

Profile profile_of(Engine& engine, bool trace) {
  return engine.profile(2, 1, std::vector<StepRates>(kSteps, {.lr = 0.01f}), trace);
}

std::string text(const Phase& phase) {
  return phase.direction.empty() ? phase.name : phase.name + " " + phase.direction;
}

std::vector<std::string> texts(const Profile& profile) {
  std::vector<std::string> all;
  for (const Phase& phase : profile.phases) all.push_back(text(phase));
  return all;
}

class EngineProfileTest : public ::testing::TestWithParam<std::string> {};

TEST_P(EngineProfileTest, AProfiledStepIsAStep) {
  const Plan plan = make_plan(parse_model(kEveryKind), kProfiledBatch);
  const std::unique_ptr<Engine> profiled = engine_on(GetParam(), plan);
  const std::unique_ptr<Engine> trained = engine_on(GetParam(), plan);
  profile_of(*profiled, true);
  trained->train(2, 1, std::vector<StepRates>(kSteps, {.lr = 0.01f}));
  for (const State which : kStates) {
    EXPECT_EQ(profiled->state(which), trained->state(which)) << static_cast<int>(which);
  }
}

TEST_P(EngineProfileTest, LayersThatLearnHavePhasesBothWays) {
  for (const char* model : {kEveryKind, "fc 10", "maxpool 2, bn, conv 2x3, bn, fc 10"}) {
    const Plan plan = make_plan(parse_model(model), kProfiledBatch);
    const std::unique_ptr<Engine> engine = engine_on(GetParam(), plan);
    const std::vector<std::string> phases = texts(profile_of(*engine, false));
    for (const PlannedLayer& layer : plan.layers) {
      if (!layer.parameters) continue;
      EXPECT_THAT(phases, ::testing::Contains(layer.name + " forward")) << model;
      EXPECT_THAT(phases, ::testing::Contains(layer.name + " backward")) << model;
    }
  }
}

// Steps so few that all of them count.
TEST_P(EngineProfileTest, PhasesAddUpToTheThreadsMeanStep) {
  const std::unique_ptr<Engine> engine =
      engine_on(GetParam(), make_plan(parse_model(kEveryKind), kProfiledBatch));
  const Profile profile = profile_of(*engine, true);
  EXPECT_EQ(profile.unit, "seconds");
  EXPECT_GT(profile.step_seconds, 0);
  double sum = 0, steps = 0;
  std::set<std::string> lanes;
  for (const TraceEvent& event : profile.trace) {
    lanes.insert(event.lane);
    if (event.category == "step") steps += event.seconds;
  }
  for (const Phase& phase : profile.phases) {
    EXPECT_GE(phase.time, 0) << text(phase);
    EXPECT_GE(phase.slowest, phase.time * 0.999) << text(phase);
    sum += phase.time;
  }
  EXPECT_NEAR(sum, steps / static_cast<double>(lanes.size() * kSteps), 1e-6 * sum);
}

// The events of each lane are its steps, and inside each the phases, end to end.
TEST_P(EngineProfileTest, TheEventsOfAStepFillIt) {
  const std::unique_ptr<Engine> engine =
      engine_on(GetParam(), make_plan(parse_model(kEveryKind), kProfiledBatch));
  const Profile profile = profile_of(*engine, true);
  const std::vector<std::string> phases = texts(profile);
  constexpr double kRounding = 1e-9;
  std::map<std::string, std::vector<TraceEvent>> lanes;
  for (const TraceEvent& event : profile.trace) lanes[event.lane].push_back(event);
  EXPECT_EQ(lanes.size(), GetParam() == "cpu" ? 3u : 1u);
  for (const auto& [lane, events] : lanes) {
    TraceEvent step;
    double end = 0;  // of the newest event in the step
    std::vector<int> steps;
    for (const TraceEvent& event : events) {
      EXPECT_GE(event.seconds, 0);
      if (event.category == "step") {
        EXPECT_NEAR(end, step.begin_seconds + step.seconds, kRounding) << lane;
        if (!steps.empty()) {
          EXPECT_NEAR(event.begin_seconds, end, kRounding) << lane;
        }
        steps.push_back(event.step);
        step = event;
        end = event.begin_seconds;
        continue;
      }
      EXPECT_NEAR(event.begin_seconds, end, kRounding) << lane << ", " << event.name;
      EXPECT_EQ(event.step, step.step);
      EXPECT_THAT(phases, ::testing::Contains(event.name));
      end = event.begin_seconds + event.seconds;
    }
    EXPECT_NEAR(end, step.begin_seconds + step.seconds, kRounding) << lane;
    EXPECT_THAT(steps, ElementsAre(1, 2, 3)) << lane;
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, EngineProfileTest, ::testing::Values("cpu", "reference"),
                         [](const auto& device) { return device.param; });

TEST(CpuProfileTest, ThePhasesHaveAStepsOrder) {
  const Plan plan =
      make_plan(parse_model("conv 2x5, relu, maxpool 2, bn, fc 20, relu, fc 10"), kProfiledBatch);
  const std::unique_ptr<Engine> engine = engine_on("cpu", plan);
  EXPECT_THAT(texts(profile_of(*engine, false)),
              ElementsAre("gather", "conv1 forward", "bn1 forward", "fc1 forward", "fc2 forward",
                          "loss", "fc2 backward", "fc1 backward", "bn1 backward", "conv1 backward",
                          "conv1 update", "bn1 update", "fc1 update", "fc2 update", "waiting"));
}

// Every block of the batch goes both ways through every stage, whichever thread takes it; the last
// is on the lanes of all, which meet within a linear layer's way back.
TEST(CpuProfileTest, TheTraceHasEveryBlock) {
  const std::unique_ptr<Engine> engine =
      engine_on("cpu", make_plan(parse_model("conv 2x5, relu, fc 10"), kProfiledBatch));
  std::map<std::string, std::multiset<int>> blocks;
  std::map<int, std::set<std::string>> lanes;
  for (const TraceEvent& event : profile_of(*engine, true).trace) {
    if (event.step != 1 || event.block < 0) continue;
    blocks[event.name].insert(event.block);
    lanes[event.block].insert(event.lane);
  }
  for (const char* name : {"gather", "conv1 forward", "fc1 forward"}) {
    EXPECT_THAT(blocks[name], ElementsAre(0, 1, 2, 3, 3, 3)) << name;
  }
  EXPECT_THAT(blocks["loss"], ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(blocks["fc1 backward"], ElementsAre(0, 1, 2, 3, 3, 3, 3, 3, 3));
  for (int block = 0; block < 4; ++block) EXPECT_EQ(lanes[block].size(), block < 3 ? 1u : 3u);
}

TEST(ProfileTest, ASteadyMeanLeavesTheShortestAndTheLongestQuarterOut) {
  EXPECT_DOUBLE_EQ(steady_mean(std::vector<double>{9, 2, 1, 4}), 3);
  EXPECT_DOUBLE_EQ(steady_mean(std::vector<double>{9, 2, 1}), 4);
  EXPECT_EQ(steady_mean({}), 0);
}

TEST(ProfileTest, PhasesAreMeansOverTheSameSteps) {
  const std::vector<double> steps = {9, 3, 5, 7};  // whole ones, by another clock
  const std::vector<double> times = {80, 10, 15, 5, 5, 5, 25, 15};
  const Profile profile = steady_profile({{"a", ""}, {"b", ""}}, steps, times, times);
  EXPECT_DOUBLE_EQ(profile.step_seconds, 5);
  EXPECT_DOUBLE_EQ(profile.phases[0].time, 20);
  EXPECT_DOUBLE_EQ(profile.phases[1].time, 10);
}

}  // namespace
}  // namespace digitron
