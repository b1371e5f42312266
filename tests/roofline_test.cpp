#include "host/bench/roofline.h"

#include <gmock/gmock.h>

#include "host/files/json.h"
#include "tests/models.h"

namespace digitron {
namespace {

const Roofline kRoofline = {{4'000'000, 1'000'000}, 1e-4, {100e9, 20e9, "multiply-adds", "triad"}};

TEST(RooflineTest, FlopsAreAMultiplyAddsTwo) {
  // Forward 784 x 10 multiply-adds a sample, backward as many for the weights alone.
  EXPECT_EQ(step_work(make_plan(parse_model("fc 10"), 64), {}).flops, 64 * 4 * 7840);
}

TEST(RooflineTest, BytesAreWhatEveryEngineMoves) {
  const int64_t samples = 64 * 785, states = 2 * 4 * 7850;  // a state is read and written
  const Plan plan = make_plan(parse_model("fc 10"), 64);
  EXPECT_EQ(step_work(plan, {}).bytes, samples + 2 * states);
  EXPECT_EQ(step_work(plan, {.kind = OptimizerKind::kAdam}).bytes, samples + 3 * states);
  EXPECT_EQ(step_work(plan, {.average_decay = 0.9f}).bytes, samples + 3 * states);
  // Two channels' weights and biases in two states, means and variances once.
  const Plan normalised = make_plan(parse_model("conv 2x28, bn, fc 10"), 2);
  const int64_t parameters = 2 * 784 + 2 + 2 * 2 + 2 * 10 + 10;
  EXPECT_EQ(step_work(normalised, {}).bytes, 2 * 785 + 2 * 4 * (2 * parameters + 2 * 2));
}

TEST(RooflineTest, SharesAreOfTheCeilings) {
  EXPECT_DOUBLE_EQ(kRoofline.compute_share(), 0.4);
  EXPECT_DOUBLE_EQ(kRoofline.memory_share(), 0.5);
}

TEST(RooflineTest, TheTableSaysWhatTheCeilingsAre) {
  EXPECT_EQ(roofline_table(kRoofline),
            "               of a step   G/s  ceiling   share  the ceiling is\n"
            "compute  4,000,000 FLOPs  40.0    100.0  40.0 %  multiply-adds\n"
            "memory   1,000,000 bytes  10.0     20.0  50.0 %  triad\n"
            "A step takes 100.00 us; at the ceilings its arithmetic takes 40.00 us, and its memory "
            "traffic 50.00 us, less where a cache holds the parameters\n"
            "FLOPs are counted as the layers are defined; a convolution may take fewer "
            "(Winograd)\n");
}

TEST(RooflineTest, TheJsonHoldsTheSame) {
  const nlohmann::ordered_json written = roofline_json(kRoofline);
  std::vector<std::string> keys;
  for (const auto& [key, value] : written.items()) keys.push_back(key);
  EXPECT_THAT(keys, ::testing::ElementsAre("flops", "bytes", "step_seconds", "compute", "memory"));
  EXPECT_EQ(written["flops"], 4'000'000);
  EXPECT_EQ(written["compute"]["ceiling"], 100e9);
  EXPECT_DOUBLE_EQ(written["compute"]["share"].get<double>(), 0.4);
  EXPECT_DOUBLE_EQ(written["memory"]["per_second"].get<double>(), 1e10);
  EXPECT_EQ(written["memory"]["measured"], "triad");
}

}  // namespace
}  // namespace digitron
