#include "host/report/changes.h"

#include <gmock/gmock.h>

#include "tests/models.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Plan plan_of(const std::string& text) {
  return make_plan(find_model(text), 64);
}

TEST(ChangesTest, LayersInWords) {
  const Plan plain = plan_of("conv 4x3, relu, conv 8x3, relu, fc 20, relu, fc 10");
  const auto changes = [&](const std::string& text) { return layer_changes(plain, plan_of(text)); };
  EXPECT_THAT(layer_changes(plain, plain), IsEmpty());
  EXPECT_THAT(changes("conv 4x3, bn, relu, conv 8x3, relu, bn, fc 20, relu, fc 10"),
              ElementsAre("batch normalisation after each convolution"));
  EXPECT_THAT(changes("conv 4x3, bn, relu, conv 8x3, relu, fc 20, relu, dropout 0.2, fc 10"),
              ElementsAre("batch normalisation after conv1",
                          "dropout 0.2 after each hidden fully connected layer"));
  EXPECT_THAT(
      changes("dropout 0.1, conv 4x3, relu, conv 8x3, dropout 0.5, relu, fc 20, relu, fc 10"),
      ElementsAre("dropout 0.1 after the input", "dropout 0.5 after conv2"));
  const Plan regular = plan_of("conv 4x3, bn, relu, conv 8x3, relu, fc 20, relu, fc 10");
  EXPECT_THAT(layer_changes(regular, plain), ElementsAre("no batch normalisation"));
  EXPECT_TRUE(same_but_regularised(plain, regular));
  EXPECT_FALSE(same_but_regularised(plain, plan_of("conv 4x3, relu, fc 20, relu, fc 10")));
}

TEST(ChangesTest, SettingsInWords) {
  const ordered_json plain{{"lr", 0.01}, {"weight_decay", 0},      {"shift", 0.0},
                           {"seed", 1},  {"schedule", "constant"}, {"patience", nullptr}};
  ordered_json other = plain;
  other["seed"] = 2;
  EXPECT_THAT(setting_changes(plain, other), IsEmpty());
  other.update({{"lr", 0.05}, {"weight_decay", 5e-4}, {"shift", 2.0}, {"rotate", 10.0}});
  other["ema"] = 0;  // an older program did not write it
  EXPECT_THAT(setting_changes(plain, other),
              ElementsAre("lr 0.05 instead of 0.01", "weight decay 0.0005",
                          "augmentation (shift 2.0, rotate 10.0)"));
  EXPECT_THAT(setting_changes(other, plain),
              ElementsAre("lr 0.01 instead of 0.05", "weight decay 0 instead of 0.0005",
                          "no augmentation"));
  EXPECT_THAT(setting_changes(plain, ordered_json("damaged")), IsEmpty());
}

TEST(ChangesTest, OptionsInWords) {
  const Plan plan = make_plan(lenet5(), 64);
  EXPECT_EQ(option_text(plan, {}), "");
  EXPECT_EQ(option_text(plan, {"--augment", "--schedule", "one-cycle", "--lr", "0.05"}),
            "augmentation, schedule one-cycle and lr 0.05");
  EXPECT_EQ(option_text(plan, {"--model", "lenet5-best", "--epochs", "20"}),
            "5 views, the training of lenet5-best and epochs 20");
  EXPECT_EQ(option_text(plan, {"--model", "views 2, " + to_text(lenet5())}), "2 views");
  EXPECT_EQ(option_text(plan, {"--model", "lenet5-improved"}),
            "batch normalisation after each convolution and dropout 0.5 after each hidden fully "
            "connected layer");
  EXPECT_EQ(option_text(plan, {"--model", "lenet5"}), "");
  EXPECT_EQ(option_text(plan, {"--model", "fc 10"}), "model fc 10");
  EXPECT_EQ(option_text(plan, {"--model", "no model"}), "model no model");
  EXPECT_EQ(option_text(plan, {"stray", "--"}), "stray");
}

TEST(ChangesTest, ListsReadAsAText) {
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed({"a"}), "a");
  EXPECT_EQ(listed({"a", "b"}), "a and b");
  EXPECT_EQ(listed({"a", "b", "c"}), "a, b and c");
}

}  // namespace
}  // namespace digitron
