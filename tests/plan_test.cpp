#include "host/core/plan.h"

#include <gmock/gmock.h>

#include <cmath>

#include "host/core/error.h"
#include "host/text/inspect.h"
#include "tests/data_testing.h"
#include "tests/models.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using Dims = std::vector<int64_t>;

struct Golden {
  const char* name;
  Dims dims;
  size_t offset;
  size_t count;
  int fan_in;
};

void expect_parameters(const Plan& plan, const std::vector<Golden>& golden) {
  ASSERT_EQ(plan.parameters.size(), golden.size());
  for (size_t i = 0; i < golden.size(); ++i) {
    const Parameter& parameter = plan.parameters[i];
    EXPECT_EQ(parameter.name, golden[i].name);
    EXPECT_EQ(parameter.dims, golden[i].dims) << parameter.name;
    EXPECT_EQ(parameter.offset, golden[i].offset) << parameter.name;
    EXPECT_EQ(parameter.count, golden[i].count) << parameter.name;
    EXPECT_EQ(parameter.fan_in, golden[i].fan_in) << parameter.name;
    EXPECT_EQ(parameter.offset * sizeof(float) % 256, 0u) << parameter.name;
  }
}

void expect_arithmetic(const Plan& plan, const std::vector<std::string>& expected) {
  std::vector<std::string> lines;
  int64_t total = 0;
  for (const PlannedLayer& layer : plan.layers) {
    total += parameter_count(plan, layer);
    if (layer.parameters) {
      lines.push_back(layer.name + ": " + parameter_arithmetic(plan, layer));
    } else {
      EXPECT_EQ(parameter_arithmetic(plan, layer), "");
      EXPECT_EQ(parameter_count(plan, layer), 0);
    }
  }
  EXPECT_EQ(lines, expected);
  EXPECT_EQ(total, static_cast<int64_t>(plan.parameter_count));
}

TEST(MakePlan, LeNet5Parameters) {
  const Plan plan = make_plan(lenet5(), 64);
  expect_parameters(plan, {{"conv1.weight", {6, 1, 5, 5}, 0, 150, 25},
                           {"conv1.bias", {6}, 192, 6, 25},
                           {"conv2.weight", {16, 6, 5, 5}, 256, 2400, 150},
                           {"conv2.bias", {16}, 2688, 16, 150},
                           {"fc1.weight", {120, 400}, 2752, 48000, 400},
                           {"fc1.bias", {120}, 50752, 120, 400},
                           {"fc2.weight", {84, 120}, 50880, 10080, 120},
                           {"fc2.bias", {84}, 60992, 84, 120},
                           {"fc3.weight", {10, 84}, 61120, 840, 84},
                           {"fc3.bias", {10}, 62016, 10, 84}});
  EXPECT_EQ(plan.parameter_count, 61'706u);
  EXPECT_EQ(plan.parameter_floats, 62'080u);
  expect_arithmetic(plan, {"conv1: (1 \u00d7 5 \u00d7 5) \u00d7 6 + 6 = 156",
                           "conv2: (6 \u00d7 5 \u00d7 5) \u00d7 16 + 16 = 2,416",
                           "fc1: 400 \u00d7 120 + 120 = 48,120", "fc2: 120 \u00d7 84 + 84 = 10,164",
                           "fc3: 84 \u00d7 10 + 10 = 850"});
}

TEST(MakePlan, CustomMlpParameters) {
  const Plan plan = make_plan(custom_mlp(), 64);
  expect_parameters(plan, {{"fc1.weight", {90, 784}, 0, 70560, 784},
                           {"fc1.bias", {90}, 70592, 90, 784},
                           {"fc2.weight", {70, 90}, 70720, 6300, 90},
                           {"fc2.bias", {70}, 77056, 70, 90},
                           {"fc3.weight", {50, 70}, 77184, 3500, 70},
                           {"fc3.bias", {50}, 80704, 50, 70},
                           {"fc4.weight", {10, 50}, 80768, 500, 50},
                           {"fc4.bias", {10}, 81280, 10, 50}});
  EXPECT_EQ(plan.parameter_count, 81'080u);
  expect_arithmetic(plan, {"fc1: 784 \u00d7 90 + 90 = 70,650", "fc2: 90 \u00d7 70 + 70 = 6,370",
                           "fc3: 70 \u00d7 50 + 50 = 3,550", "fc4: 50 \u00d7 10 + 10 = 510"});
}

TEST(MakePlan, LeNet5ImprovedState) {
  const Plan plan = make_plan(lenet5_improved(), 64);
  EXPECT_EQ(plan.parameter_count, 61'750u);
  expect_arithmetic(plan, {"conv1: (1 \u00d7 5 \u00d7 5) \u00d7 6 + 6 = 156", "bn1: 6 + 6 = 12",
                           "conv2: (6 \u00d7 5 \u00d7 5) \u00d7 16 + 16 = 2,416",
                           "bn2: 16 + 16 = 32", "fc1: 400 \u00d7 120 + 120 = 48,120",
                           "fc2: 120 \u00d7 84 + 84 = 10,164", "fc3: 84 \u00d7 10 + 10 = 850"});
  const Parameter& weight = plan.parameters[2];
  EXPECT_EQ(weight.name, "bn1.weight");
  EXPECT_EQ(weight.dims, Dims{6});
  EXPECT_EQ(plan.parameters[3].name, "bn1.bias");
  ASSERT_EQ(plan.buffers.size(), 4u);
  const char* names[] = {"bn1.running_mean", "bn1.running_var", "bn2.running_mean",
                         "bn2.running_var"};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(plan.buffers[i].name, names[i]);
    EXPECT_EQ(plan.buffers[i].offset, 64 * i);
    EXPECT_EQ(plan.buffers[i].count, i < 2 ? 6u : 16u);
  }
  EXPECT_EQ(plan.buffer_floats, 256u);
  EXPECT_EQ(plan.layers[2].statistics->mean, 0u);
  EXPECT_EQ(plan.layers[2].statistics->variance, 1u);
  EXPECT_EQ(plan.layers[6].statistics->mean, 2u);
  EXPECT_FALSE(plan.layers[0].statistics);

  const std::vector<float> buffers = initial_buffers(plan);
  const std::vector<float> parameters = initial_parameters(plan, 1);
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(buffers[i], 0);
    EXPECT_EQ(buffers[64 + i], i < 6 ? 1 : 0);
    EXPECT_EQ(buffers[192 + i], i < 16 ? 1 : 0);
    EXPECT_EQ(parameters[weight.offset + i], i < 6 ? 1 : 0);
    EXPECT_EQ(parameters[plan.parameters[3].offset + i], 0);
  }
}

// 6 operations an element forward; 9 backward, 4 of them for an input that somebody needs.
TEST(MakePlan, WorkOfRegularisers) {
  const Plan plan = make_plan(parse_model("bn, dropout 0.5, bn, fc 10, dropout 0.5"), 3);
  EXPECT_EQ(plan.layers[0].flops_forward, 3 * 784 * 6);
  EXPECT_EQ(plan.layers[0].flops_backward, 3 * 784 * 5);
  EXPECT_EQ(plan.layers[1].flops_forward, 3 * 784);
  EXPECT_EQ(plan.layers[1].flops_backward, 3 * 784);
  EXPECT_EQ(plan.layers[2].flops_backward, 3 * 784 * 9);
  EXPECT_EQ(plan.layers[4].flops_backward, 3 * 10);
  EXPECT_EQ(plan.layers[1].name, "dropout1");
  EXPECT_EQ(plan.layers[4].name, "dropout2");
}

TEST(RequireTrainable, SaysWhichBatchHasNoVariance) {
  const auto error = [](const char* text, int batch, int samples) {
    return error_of<InputError>(
        [&] { require_trainable(make_plan(parse_model(text), batch), samples); });
  };
  EXPECT_THAT(error("bn, conv 10x28, bn", 1, 5),
              AllOf(HasSubstr("bn2 cannot be trained on batches of one sample"),
                    HasSubstr("give another --batch")));
  EXPECT_THAT(error("maxpool 28, bn, fc 10", 64, 129),
              AllOf(HasSubstr("bn1"), HasSubstr("the last batch of an epoch"),
                    HasSubstr("129 samples in batches of 64")));
  require_trainable(make_plan(parse_model("maxpool 28, bn, fc 10"), 64), 128);
  require_trainable(make_plan(parse_model("maxpool 28, bn, fc 10"), 64), 130);
  require_trainable(make_plan(lenet5_improved(), 1), 7);
  require_trainable(make_plan(lenet5(), 2), 7);
}

TEST(MakePlan, LeNet5Layers) {
  const Plan plan = make_plan(lenet5(), 3);
  const std::vector<std::pair<std::string, Shape>> golden{
      {"conv1", {6, 28, 28}},      {"relu1", {6, 28, 28}},       {"pool1", {6, 14, 14}},
      {"conv2", {16, 10, 10}},     {"relu2", {16, 10, 10}},      {"pool2", {16, 5, 5}},
      {"fc1", {120, 1, 1, true}},  {"relu3", {120, 1, 1, true}}, {"fc2", {84, 1, 1, true}},
      {"relu4", {84, 1, 1, true}}, {"fc3", {10, 1, 1, true}}};
  ASSERT_EQ(plan.layers.size(), golden.size());
  size_t floats = 0;
  for (size_t i = 0; i < golden.size(); ++i) {
    const PlannedLayer& layer = plan.layers[i];
    EXPECT_EQ(layer.name, golden[i].first);
    EXPECT_EQ(layer.out, golden[i].second) << layer.name;
    EXPECT_EQ(layer.in, i == 0 ? plan.model.task.image : golden[i - 1].second) << layer.name;
    EXPECT_EQ(layer.input_gradient, i > 0) << layer.name;
    floats += (3 * static_cast<size_t>(layer.out.count()) + 63) / 64 * 64;
  }
  EXPECT_EQ(plan.activation_floats, floats);
}

// The work of the convolutions and linear layers; the rest is under a hundredth.
TEST(MakePlan, LeNet5Work) {
  const Plan plan = make_plan(lenet5(), 64);
  int64_t forward = 0;
  int64_t backward = 0;
  int64_t everything_forward = 0;
  int64_t everything_backward = 0;
  for (const PlannedLayer& layer : plan.layers) {
    everything_forward += layer.flops_forward;
    everything_backward += layer.flops_backward;
    if (!layer.parameters) continue;
    forward += layer.flops_forward;
    backward += layer.flops_backward;
  }
  EXPECT_EQ(forward, 2 * 64 * 416'520);
  EXPECT_EQ(forward + backward, 2 * 64 * 1'131'960);
  EXPECT_EQ(plan.flops_forward, everything_forward);
  EXPECT_EQ(plan.flops_backward, everything_backward);
  EXPECT_LT(plan.flops_forward + plan.flops_backward, (forward + backward) * 101 / 100);
  // The first layer's input gradient is left out, also when a ReLU stands before it.
  EXPECT_EQ(plan.layers[0].flops_backward, plan.layers[0].flops_forward);
  EXPECT_EQ(plan.layers[3].flops_backward, 2 * plan.layers[3].flops_forward);
  const Plan relu_first = make_plan(parse_model("relu, fc 10"), 1);
  EXPECT_EQ(relu_first.layers[0].flops_backward, 0);
  EXPECT_EQ(relu_first.layers[1].flops_backward, 2 * 7840);
}

TEST(OutputShape, PyTorchsRules) {
  const Shape in{3, 10, 7};
  EXPECT_EQ(output_shape(Conv2d{4, 3, 1, 0}, in), (Shape{4, 8, 5}));
  EXPECT_EQ(output_shape(Conv2d{4, 3, 2, 1}, in), (Shape{4, 5, 4}));
  EXPECT_EQ(output_shape(Conv2d{4, 7, 5, 0}, in), (Shape{4, 1, 1}));
  EXPECT_EQ(output_shape(MaxPool2d{2, 2}, in), (Shape{3, 5, 3}));
  EXPECT_EQ(output_shape(MaxPool2d{3, 2}, in), (Shape{3, 4, 3}));
  EXPECT_EQ(output_shape(MaxPool2d{2, 3}, in), (Shape{3, 3, 2}));
  EXPECT_EQ(output_shape(Linear{5}, in), (Shape{5, 1, 1, true}));
  EXPECT_EQ(output_shape(ReLU{}, in), in);
  EXPECT_THROW(output_shape(Conv2d{4, 8, 1, 0}, in), InputError);
  EXPECT_THROW(output_shape(MaxPool2d{8, 1}, in), InputError);
  const Shape flat = output_shape(Linear{5}, in);
  EXPECT_EQ(output_shape(ReLU{}, flat), flat);
  EXPECT_EQ(output_shape(Linear{3}, flat), (Shape{3, 1, 1, true}));
  EXPECT_THROW(output_shape(Conv2d{1, 1, 1, 0}, flat), InputError);
  EXPECT_THROW(output_shape(MaxPool2d{1, 1}, flat), InputError);
}

std::string plan_error(const std::string& text, int batch) {
  return error_of<InputError>([&] { make_plan(parse_model(text), batch); });
}

TEST(MakePlan, RefusesBatches) {
  for (const int batch : {0, -1, -2'147'483'647}) {
    EXPECT_THAT(plan_error("fc 10", batch),
                AllOf(HasSubstr("batch of " + std::to_string(batch)), HasSubstr("give 1 or more")));
  }
  EXPECT_THAT(plan_error("fc 10", 2'147'483'647),
              AllOf(HasSubstr("fc1"), HasSubstr("4 GiB"), HasSubstr("smaller batch")));
}

TEST(MakePlan, RefusesModelsWithoutOneOutputAClass) {
  for (const char* text : {"fc 9", "fc 100", "conv 1x5", "relu", "conv 10x5", "maxpool 28"}) {
    EXPECT_THAT(plan_error(text, 1), AllOf(HasSubstr("not 10"), HasSubstr("fc 10"))) << text;
  }
  EXPECT_THROW(make_plan(Model{}, 1), InputError);
  EXPECT_EQ(make_plan(parse_model("conv 10x28"), 1).parameter_count, 7850u);
}

TEST(MakePlan, RefusesWhatMemoryCannotHold) {
  const std::string tail = ", fc 10";
  EXPECT_THAT(plan_error("fc 65536, fc 65536" + tail, 1),
              AllOf(HasSubstr("fc2.weight"), HasSubstr("4 GiB"), HasSubstr("smaller")));
  EXPECT_THAT(plan_error("conv 1000x3" + tail, 10'000),
              AllOf(HasSubstr("conv1"), HasSubstr("4 GiB"), HasSubstr("smaller batch")));
  // Products of dims that do not fit 64 bits, or are even 0 in them.
  EXPECT_THAT(
      plan_error("maxpool 28, conv 65536x1, conv 65536x1000 pad 1000 stride 1000" + tail, 1),
      HasSubstr("smaller"));
  Model model;
  model.task.image = {65'536, 1, 1};
  model.layers = {Conv2d{65'536, 65'536, 65'536, 65'536}, Linear{10}};
  EXPECT_THROW(make_plan(model, 1), InputError);
}

TEST(InitialParameters, AreUniformWithinPyTorchsBounds) {
  for (const Model& model : {lenet5(), custom_mlp()}) {
    const Plan plan = make_plan(model, 64);
    const std::vector<float> flat = initial_parameters(plan, 1);
    ASSERT_EQ(flat.size(), plan.parameter_floats);
    for (const Parameter& parameter : plan.parameters) {
      const double bound = 1 / std::sqrt(double(parameter.fan_in));
      double sum = 0;
      double squares = 0;
      for (size_t i = parameter.offset; i < parameter.offset + parameter.count; ++i) {
        ASSERT_TRUE(std::abs(flat[i]) <= bound * (1 + 1e-6)) << parameter.name;
        sum += flat[i] / bound;
        squares += flat[i] / bound * (flat[i] / bound);
      }
      // U(-1, 1) has variance 1/3, and that of its square 4/45.
      const auto n = static_cast<double>(parameter.count);
      EXPECT_TRUE(std::abs(sum / n) <= 4 * std::sqrt(1 / (3 * n))) << parameter.name;
      EXPECT_TRUE(std::abs(squares / n - 1.0 / 3) <= 4 * std::sqrt(4 / (45 * n))) << parameter.name;
    }
  }
}

TEST(InitialParameters, AreAFunctionOfTheSeed) {
  const Plan plan = make_plan(lenet5(), 64);
  const std::vector<float> flat = initial_parameters(plan, 1);
  EXPECT_EQ(initial_parameters(make_plan(lenet5(), 7), 1), flat);
  for (const uint64_t seed : {uint64_t{0}, uint64_t{2}, uint64_t{1} + (uint64_t{1} << 32)}) {
    const std::vector<float> other = initial_parameters(plan, seed);
    size_t equal = 0;
    for (size_t i = 0; i < flat.size(); ++i) equal += flat[i] == other[i];
    EXPECT_LT(equal, plan.parameter_floats - plan.parameter_count + 20) << seed;
  }
}

TEST(InitialParameters, AreZeroInTheGaps) {
  const Plan plan = make_plan(lenet5(), 64);
  std::vector<float> flat = initial_parameters(plan, 1);
  for (const Parameter& parameter : plan.parameters) {
    std::fill_n(flat.begin() + static_cast<std::ptrdiff_t>(parameter.offset), parameter.count, 0.f);
  }
  EXPECT_EQ(flat, std::vector<float>(plan.parameter_floats));
}

// As torch.nn.AvgPool2d: no padding, and windows that would stick out are left out.
TEST(MakePlan, AveragePooling) {
  const Plan plan = make_plan(parse_model("avgpool 3, maxpool 2, avgpool 2 stride 1, fc 10"), 2);
  EXPECT_EQ(plan.layers[0].name, "pool1");
  EXPECT_EQ(plan.layers[0].out, (Shape{1, 9, 9}));
  EXPECT_EQ(plan.layers[2].name, "pool3");
  EXPECT_EQ(plan.layers[2].out, (Shape{1, 3, 3}));
  EXPECT_EQ(plan.layers[0].flops_forward, 2 * 81 * 9);
  EXPECT_EQ(plan.layers[0].flops_backward, 0) << "nothing before it learns";
}

}  // namespace
}  // namespace digitron
