// The phases of the fused step: as many as the kernel marks, with the names of the layers.
#include "cuda/fused_phases.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>

#include "cuda/arena.h"
#include "cuda/copy.h"
#include "cuda/sample_program.h"
#include "host/bench/trace.h"
#include "host/files/json.h"
#include "kernels/sample_pass.h"
#include "tests/cuda_testing.h"
#include "tests/engine_testing.h"
#include "tests/mnist_form.h"
#include "tests/models.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kPhasesBatch = 5;
constexpr int kPhasesCount = 20;
constexpr size_t kSharedBytes = size_t{227} << 10;

SampleProgram program_of(const Plan& plan, int parts) {
  return std::get<SampleProgram>(make_sample_program(plan, {kSharedBytes, parts}));
}

SegmentPhases phases_of(const Plan& plan) {
  const SampleProgram program = program_of(plan, 1);
  return sample_phases(program, training_segments(program), op_names(plan));
}

std::vector<std::string> lines(const SegmentPhases& segments) {
  std::vector<std::string> lines;
  for (const std::vector<Phase>& phases : segments) {
    for (const Phase& phase : phases) {
      lines.push_back(phase.direction.empty() ? phase.name : phase.name + ", " + phase.direction);
    }
  }
  return lines;
}

// How many clocks the timed segments of one sample leave in each block.
std::vector<int64_t> marks(const Plan& plan, int parts) {
  const SampleProgram program = program_of(plan, parts);
  const std::vector<SampleSegment> segments = training_segments(program);
  const size_t blocks = segments.size() * static_cast<size_t>(parts);
  SampleBuffers buffers;
  uint8_t *images = nullptr, *labels = nullptr;
  StepState* state = nullptr;
  float* parameters = nullptr;
  Arena memory;
  memory.add("images", &images, kImagePixels);
  memory.add("labels", &labels, 1);
  memory.add("state", &state, 1);
  memory.add("parameters", &parameters, plan.parameter_floats);
  memory.add("records", &buffers.records, static_cast<size_t>(program.record_floats));
  memory.add("running", &buffers.running, plan.buffer_floats);
  memory.add("cross", &buffers.cross, static_cast<size_t>(program.cross_floats));
  memory.add("losses", &buffers.losses, 1);
  memory.add("times", &buffers.times, blocks);
  memory.allocate();
  const std::shared_ptr<const Dataset> sample = testing::random_dataset(1, 1);
  const StepState first{Permutation(1, 1, 1, false), 0, 1, 1, 0, 0};
  const std::vector<float> values = testing::varied_parameters(plan, 1);
  std::vector<BlockTimes> unmarked(blocks);
  for (BlockTimes& block : unmarked) std::fill_n(block.marks, kMostPhases, -1);
  upload<uint8_t>(images, sample->images, nullptr);
  upload<uint8_t>(labels, sample->labels, nullptr);
  upload<StepState>(state, std::span(&first, 1), nullptr);
  upload<float>(parameters, values, nullptr);
  upload<BlockTimes>(buffers.times, unmarked, nullptr);
  check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
  buffers.images = images;
  buffers.labels = labels;
  buffers.state = state;
  buffers.parameters = parameters;
  check(prepare_sample_pass(program, parts, -1), "prepare_sample_pass");
  BlockTimes* const all_times = buffers.times;
  for (const SampleSegment& segment : segments) {
    check(sample_pass(program, buffers, {}, {1, parts, 0, false, true, 0, kMnistForm, segment},
                      nullptr),
          "sample_pass");
    buffers.times += parts;
  }

  std::vector<int64_t> counts;
  for (const BlockTimes& block : download(all_times, blocks, nullptr)) {
    counts.push_back(kMostPhases - std::count(std::begin(block.marks), std::end(block.marks), -1));
  }
  return counts;
}

class CudaPhasesTest : public testing::CudaTest {};

TEST_F(CudaPhasesTest, AreAsManyAsTheKernelMarks) {
  for (const Model& model :
       {lenet5(), custom_mlp(), parse_model("maxpool 2, dropout 0.5, conv 3x3, avgpool 2, fc 10"),
        parse_model("conv 2x5, conv 2x3 pad 1, relu, fc 20, dropout 0.2, fc 10, relu"),
        lenet5_improved(), parse_model("bn, conv 2x5, maxpool 2, bn, relu, bn, fc 10")}) {
    const Plan plan = make_plan(model, 1);
    std::vector<int64_t> expected[2];
    for (const std::vector<Phase>& segment : phases_of(plan)) {
      const auto marks = static_cast<int64_t>(segment.size()) + 1;
      expected[0].push_back(marks);
      expected[1].insert(expected[1].end(), 2, marks);
    }
    EXPECT_EQ(marks(plan, 1), expected[0]) << to_text(model);
    EXPECT_EQ(marks(plan, 2), expected[1]) << to_text(model);
  }
}

TEST_F(CudaPhasesTest, HaveTheNamesOfTheLayers) {
  const Plan plan = make_plan(parse_model("conv 2x5, relu, maxpool 2, fc 20, relu, fc 10"), 1);
  EXPECT_THAT(lines(phases_of(plan)),
              ElementsAre("gather", "weights", "conv1, forward", "conv1 activation, forward",
                          "fc1, forward", "fc2, forward", "loss", "fc2 delta, backward",
                          "fc2, backward", "fc1 delta, backward", "fc1, backward",
                          "conv1 delta, backward", "conv1, backward", "end"));
}

TEST_F(CudaPhasesTest, ABatchNormalisationBeginsSegments) {
  const Plan plan = make_plan(parse_model("conv 2x5, bn, fc 10"), 1);
  EXPECT_THAT(
      lines(phases_of(plan)),
      ElementsAre("1: gather", "1: weights", "1: conv1, forward", "1: conv1 activation, forward",
                  "1: end", "2: gather", "2: weights", "2: bn1, forward", "2: fc1, forward",
                  "2: loss", "2: fc1 delta, backward", "2: fc1, backward", "2: end", "3: gather",
                  "3: weights", "3: bn1 statistics, backward", "3: bn1, forward",
                  "3: bn1, backward", "3: conv1 delta, backward", "3: conv1, backward", "3: end"));
}

TEST_F(CudaPhasesTest, MedianAndSlowestAreOverBlocksAndSteps) {
  std::vector<BlockTimes> times(2 * 3);  // 2 steps of 3 blocks
  const int64_t ends[] = {10, 20, 60, 12, 22, 40};
  for (size_t i = 0; i < std::size(ends); ++i) times[i].marks[1] = ends[i];
  const Profile profile = timed_phases({{{"gather", ""}}}, times, {2, 1, 3});
  EXPECT_EQ(profile.unit, "clocks");
  EXPECT_EQ(profile.phases.at(0).time, 22);
  EXPECT_EQ(profile.phases.at(0).slowest, 60);
}

// The profile and trace of three steps of the second epoch, and the parameters after them; or,
// unprofiled, no phases.
std::pair<Profile, std::vector<float>> three_steps(const Plan& plan, StepKind kind, bool profiled) {
  const std::unique_ptr<Engine> engine = testing::cuda_engine(plan, {.step = kind});
  engine->load(testing::random_dataset(kPhasesCount, 1), testing::random_dataset(kPhasesCount, 2));
  engine->set_state(State::kParameters, testing::varied_parameters(plan, 3));
  const std::vector<StepRates> rates(3, {.lr = 0.01f});
  Profile profile;
  if (profiled) {
    profile = engine->profile(2, 1, rates, true);
  } else {
    engine->train(2, 1, rates);
  }
  return {profile, engine->state(State::kParameters)};
}

TEST_F(CudaPhasesTest, AProfiledStepIsAStep) {
  const Plan plan = make_plan(parse_model("conv 2x5, relu, dropout 0.5, fc 10"), kPhasesBatch);
  for (const StepKind kind : {StepKind::kFused, StepKind::kLayers}) {
    EXPECT_EQ(three_steps(plan, kind, true).second, three_steps(plan, kind, false).second)
        << step_word(kind);
  }
}

TEST_F(CudaPhasesTest, EveryPhaseOfTheFusedStepTakesTime) {
  const Plan plan = make_plan(parse_model("conv 2x5, relu, fc 10"), kPhasesBatch);
  const Profile profile = three_steps(plan, StepKind::kFused, true).first;
  EXPECT_EQ(profile.phases.size(), 11u);
  EXPECT_GT(profile.step_seconds, 0);
  for (const Phase& phase : profile.phases) {
    EXPECT_GT(phase.time, 0) << phase.name;
    EXPECT_GE(phase.slowest, phase.time) << phase.name;
  }
}

// Two segments of 20 blocks: their beginnings and ends by the timer say that a clock is half a
// nanosecond, and each block has clocks of its own.
TEST_F(CudaPhasesTest, LanesAreOfTheFirstBlocksByOneClock) {
  constexpr size_t kBlocks = 20;
  std::vector<BlockTimes> times(2 * 2 * kBlocks);
  for (size_t i = 0; i < times.size(); ++i) {
    const auto begin = static_cast<int64_t>(5000 + 100 * i);
    const auto clock = static_cast<int64_t>(1'000'000 * i);
    times[i] = {{clock, clock + 200, clock + 800}, begin, begin + 400};
  }
  times[3 * kBlocks - 1].begin_ns = 8500;  // one that is not shown is the last step's first
  times[3 * kBlocks - 1].end_ns = 8900;
  const SegmentPhases phases = {{{"1: gather", ""}, {"1: conv1", "forward"}},
                                {{"2: gather", ""}, {"2: bn1", "backward"}}};
  const std::vector<TraceEvent> events = phase_lanes("pass", phases, times, {2, 2, kBlocks});
  ASSERT_EQ(events.size(), 3 * 16u);
  EXPECT_EQ(events[0].lane, "1: block 0");
  EXPECT_EQ(events[0].name, "pass");
  EXPECT_EQ(events[0].step, 1);
  EXPECT_NEAR(events[0].begin_seconds, 500e-9, 1e-15);
  EXPECT_NEAR(events[0].seconds, 400e-9, 1e-15);
  EXPECT_EQ(events[1].name, "1: gather");
  EXPECT_NEAR(events[1].begin_seconds, 500e-9, 1e-15);
  EXPECT_NEAR(events[1].seconds, 100e-9, 1e-15);
  EXPECT_EQ(events[2].name, "1: conv1 forward");
  EXPECT_EQ(events[2].category, "forward");
  EXPECT_NEAR(events[2].begin_seconds, 600e-9, 1e-15);
  EXPECT_NEAR(events[2].seconds, 300e-9, 1e-15);
  EXPECT_EQ(events.back().lane, "2: block 7");
  EXPECT_EQ(events.back().name, "2: bn1 backward");
}

// What the JSON of a step has in each lane, in whole nanoseconds.
TEST_F(CudaPhasesTest, PhasesLieSideBySideInTheirPass) {
  for (const char* model : {"conv 2x5, relu, fc 10", "conv 2x5, bn, fc 10"}) {
    const Plan plan = make_plan(parse_model(model), kPhasesBatch);
    const Profile profile = three_steps(plan, StepKind::kFused, true).first;
    std::map<int, std::vector<nlohmann::ordered_json>> lanes;
    const auto json = trace_json(profile.trace);
    for (const auto& event : json.at("traceEvents")) {
      if (event["ph"] == "X") lanes[event["tid"]].push_back(event);
    }
    size_t phases = 0;
    for (const auto& [lane, events] : lanes) {
      const auto ns = [](const nlohmann::ordered_json& us) {
        return std::llround(1000 * us.get<double>());
      };
      EXPECT_EQ(events[0]["name"], "timed sample pass");
      EXPECT_EQ(events[0]["args"]["step"], 3);  // the third from the second on, counted from 0
      int64_t at = ns(events[0]["ts"]);
      EXPECT_GE(at, 0);
      for (size_t i = 1; i < events.size(); ++i) {
        EXPECT_EQ(ns(events[i]["ts"]), at) << events[i];
        at += ns(events[i]["dur"]);
      }
      EXPECT_EQ(at, ns(events[0]["ts"]) + ns(events[0]["dur"]));
      phases += events.size() - 1;
    }
    EXPECT_EQ(phases % profile.phases.size(), 0u);  // all of them, for each block shown
    EXPECT_GT(phases, 0u);
  }
}

TEST_F(CudaPhasesTest, LayerByLayerThereAreNoLanes) {
  const Plan plan = make_plan(parse_model("fc 10"), kPhasesBatch);
  EXPECT_THAT(three_steps(plan, StepKind::kLayers, true).first.trace, IsEmpty());
}

TEST_F(CudaPhasesTest, LayerByLayerTheyAreTheWholeStepInItsOrder) {
  const Plan plan = make_plan(parse_model("conv 2x5, bn, relu, maxpool 2, dropout 0.5, fc 10"), 5);
  const Profile profile = three_steps(plan, StepKind::kLayers, true).first;
  EXPECT_EQ(profile.unit, "seconds");
  EXPECT_THAT(
      lines({profile.phases}),
      ElementsAre("gather", "conv1, forward", "bn1, forward", "relu1, forward", "pool1, forward",
                  "dropout1, forward", "fc1, forward", "loss", "fc1, backward",
                  "dropout1, backward", "pool1, backward", "relu1, backward", "bn1, backward",
                  "conv1, backward", "update", "advance"));
  double sum = 0;
  for (const Phase& phase : profile.phases) {
    EXPECT_GT(phase.time, 0) << phase.name;
    EXPECT_EQ(phase.slowest, phase.time) << phase.name;
    sum += phase.time;
  }
  EXPECT_NEAR(sum, profile.step_seconds, 1e-3 * profile.step_seconds);
}

}  // namespace
}  // namespace digitron
