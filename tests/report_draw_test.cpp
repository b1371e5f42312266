#include "host/report/draw_part.h"

#include <gmock/gmock.h>

#include <limits>

#include "host/text/text.h"
#include "tests/mnist_form.h"
#include "tests/report_testing.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

RunRecord trained(const std::string& model, double accuracy) {
  RunRecord run;
  run.directory = "runs/" + std::to_string(accuracy);
  run.has_description = true;
  run.description = testing::run_json(model, 1, 1);
  run.model_name = find_model(model).name;
  run.epochs.emplace_back().epoch = 1;
  run.epochs.back().test_accuracy = accuracy;
  run.plan = make_plan(find_model(model), 1);
  run.state = initial_state(*run.plan, 1);
  return run;
}

std::vector<DocumentBlock> blocks_of(const std::vector<RunRecord>& runs) {
  return draw_blocks(group_runs(runs));
}

// Why there is nothing to draw on.
std::string reason(const std::vector<RunRecord>& runs) {
  const std::vector<DocumentBlock> blocks = blocks_of(runs);
  const auto* paragraph = blocks.size() == 2 ? std::get_if<Paragraph>(&blocks[1]) : nullptr;
  return paragraph == nullptr ? "" : paragraph->text;
}

DrawDigit drawn(const std::vector<RunRecord>& runs) {
  const std::vector<DocumentBlock> blocks = blocks_of(runs);
  EXPECT_EQ(blocks.size(), 2u);
  return std::get<DrawDigit>(blocks.at(1));
}

TEST(DrawPartTest, TheMostAccurateModelOfThoseThatFit) {
  RunRecord broken = trained("custom-mlp", 0.99);
  broken.state.parameters.clear();
  const DrawDigit draw = drawn({trained("custom-mlp", 0.5), trained("lenet5", 0.75), broken});
  EXPECT_THAT(draw.caption, HasSubstr("LeNet-5 as runs/0.75"));
  EXPECT_THAT(draw.caption, HasSubstr("right on 75.00% of the test images"));
  EXPECT_THAT(blocks_of({}), IsEmpty());
}

TEST(DrawPartTest, LayersAndWeights) {
  RunRecord run = trained("conv 2x5 stride 2 pad 1, bn, relu, avgpool 2, dropout 0.5, fc 10", 0.5);
  run.state.buffers[1] = 7;  // the second channel's mean
  const auto network = parse_object<ordered_json>(drawn({run}).network);
  ASSERT_TRUE(network);
  EXPECT_EQ((*network)["mean"], kPixelMean);
  EXPECT_EQ((*network)["deviation"], kPixelDeviation);
  const ordered_json& layers = (*network)["layers"];
  ASSERT_EQ(layers.size(), 5u);  // dropout does nothing
  EXPECT_EQ(layers[0].dump(), R"({"kind":"conv","kernel":5,"stride":2,"padding":1,"in":[1,28,28],)"
                              R"("out":[2,13,13],"weight":[0,50],"bias":[64,66]})");
  EXPECT_EQ(layers[1]["epsilon"], 1e-5);
  EXPECT_EQ(layers[2]["kind"], "relu");
  EXPECT_EQ(layers[3].dump(),
            R"({"kind":"avgpool","kernel":2,"stride":2,"in":[2,13,13],"out":[2,6,6]})");
  EXPECT_EQ(layers[4]["kind"], "fc");

  std::vector<float> floats = run.state.parameters;
  EXPECT_THAT(layers[1]["mean"], ElementsAre(floats.size(), floats.size() + 2));
  floats.insert(floats.end(), run.state.buffers.begin(), run.state.buffers.end());
  const auto* bytes = reinterpret_cast<const char*>(floats.data());
  EXPECT_EQ((*network)["floats"], base64({bytes, floats.size() * sizeof(float)}));
}

TEST(DrawPartTest, SaysWhyThereIsNothing) {
  RunRecord run = trained("lenet5", 0.5);
  run.state.parameters.clear();
  EXPECT_THAT(reason({run}), AllOf(HasSubstr("runs/0.5"), HasSubstr("no checkpoint")));
  run = trained("lenet5", 0.5);
  run.state.parameters[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(reason({run}), HasSubstr("no finite numbers"));
  run = trained("bn, fc 10", 0.5);
  run.state.buffers[0] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(reason({run}), HasSubstr("no finite numbers"));
  EXPECT_THAT(reason({trained("fc 500, fc 10", 0.5)}), HasSubstr("397,510 parameters"));
  run = trained("fc 10", 0.5);
  run.plan->model.task.image = {3, 28, 28};
  EXPECT_THAT(reason({run}), HasSubstr("tells 10 classes of 3x28x28 images apart"));
  run.plan.reset();
  EXPECT_THAT(reason({run}), Not(IsEmpty()));
}

}  // namespace
}  // namespace digitron
