// What commands answer as JSON.
#include <cmath>

#include "host/core/model.h"
#include "host/data/png_image.h"
#include "host/machine/machine.h"
#include "host/text/inspect.h"
#include "tests/png_files.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using testing::ProgramResult;
using testing::run_program;
using ::testing::StartsWith;

class ProgramJsonTest : public testing::ProgramTest {};

TEST_F(ProgramJsonTest, EvaluatesAsJson) {
  const ProgramResult result =
      run_program({"eval", "--json", "--checkpoint", checkpoint(), "--data", data()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json evaluation = json::parse(result.out);
  EXPECT_EQ(evaluation["schema"], "digitron-eval/1");
  EXPECT_EQ(evaluation["model"]["text"], "fc 10");
  EXPECT_EQ(evaluation["checkpoint"], checkpoint());
  EXPECT_EQ(evaluation["data"]["test_images"], 50);
  EXPECT_EQ(evaluation["accuracy"], 1);
  EXPECT_EQ(evaluation["correct"], 50);
  const json events = lines_of(trained() + "/metrics.jsonl");
  EXPECT_NEAR(evaluation["loss"].get<double>(), events.back()["test_loss"].get<double>(), 1e-6);
  for (size_t truth = 0; truth < 10; ++truth)
    for (size_t guess = 0; guess < 10; ++guess)
      EXPECT_EQ(evaluation["confusion"][truth][guess], truth == guess ? 5 : 0);
}

// A run, its checkpoint and its resumption agree on what several views say.
TEST_F(ProgramJsonTest, AModelOfSeveralViewsKeepsThem) {
  const std::vector<std::string> views{"--model", "views 5, fc 10", "--epochs", "2"};
  const ProgramResult trained = train(views);
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const auto evaluated = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments{
        "eval", "--json", "--checkpoint", out() + "/model.safetensors", "--data", data()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(result.out);
  };
  const json several = evaluated({});
  EXPECT_EQ(several["model"]["text"], "views 5, fc 10");
  const json last = lines_of(out() + "/metrics.jsonl").back();
  EXPECT_NEAR(several["loss"].get<double>(), last["test_loss"].get<double>(), 1e-6);
  const json one = evaluated({"--model", "fc 10"});
  EXPECT_GT(std::abs(several["loss"].get<double>() - one["loss"].get<double>()), 1e-3);

  const ProgramResult resumed =
      run_program({"train", "--resume", out(), "--epochs", "3", "--force"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NEAR(evaluated({})["loss"].get<double>(),
              lines_of(out() + "/metrics.jsonl").back()["test_loss"].get<double>(), 1e-6);
}

TEST_F(ProgramJsonTest, PredictsAsJson) {
  write_png_grey(file("7.png"), 28, 28, testing::bar_image(7));
  const ProgramResult result =
      run_program({"predict", "--json", "--checkpoint", checkpoint(), file("7.png")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const auto predictions = parse_object<nlohmann::ordered_json>(result.out);
  ASSERT_TRUE(predictions) << result.out;
  EXPECT_EQ((*predictions)["schema"], "digitron-predict/1");
  ASSERT_EQ((*predictions)["images"].size(), 1u);
  const nlohmann::ordered_json& image = (*predictions)["images"][0];
  EXPECT_EQ(image["image"], file("7.png"));
  EXPECT_EQ(image["class"], 7);
  const auto logits = image["logits"].get<std::vector<float>>();
  ASSERT_EQ(logits.size(), 10u);
  EXPECT_EQ(image["probabilities"].get<std::vector<double>>(), softmax(logits));
}

TEST_F(ProgramJsonTest, InspectsAsJson) {
  const ProgramResult result =
      run_program({"inspect", "--json", "--model", "lenet5", "--device", "cpu"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json plan = json::parse(result.out);
  EXPECT_EQ(plan["schema"], "digitron-inspect/1");
  EXPECT_EQ(plan["parameters"], 61706);
  ASSERT_EQ(plan["layers"].size(), 11u);
  EXPECT_EQ(plan["layers"][0]["layer"], "conv 6x5 pad 2");
  EXPECT_EQ(plan["layers"][0]["in"], json({1, 28, 28}));
  EXPECT_EQ(plan["layers"][0]["parameters"][0],
            json({{"name", "conv1.weight"}, {"dims", {6, 1, 5, 5}}, {"count", 150}}));
  EXPECT_EQ(plan["layers"][1]["parameters"], json::array());
  EXPECT_EQ(plan["layers"][10]["out"], json({10}));
  int64_t parameters = 0, flops = 0;
  for (const json& layer : plan["layers"]) {
    for (const json& tensor : layer["parameters"]) parameters += tensor["count"].get<int64_t>();
    flops += layer["flops_forward"].get<int64_t>();
  }
  EXPECT_EQ(parameters, 61706);
  EXPECT_EQ(plan["flops_forward"], flops);
  EXPECT_THAT(plan["device"]["description"], StartsWith("CPU"));
}

TEST_F(ProgramJsonTest, DevicesAsJson) {
  const ProgramResult result = run_program({"devices", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json all = json::parse(result.out);
  EXPECT_EQ(all["schema"], "digitron-devices/1");
  EXPECT_TRUE(all["build"].contains("commit"));
  EXPECT_EQ(all["machine"]["cpu"], cpu_name());
  std::vector<std::string> names;
  for (const json& device : all["devices"]) {
    names.push_back(device["name"]);
    EXPECT_TRUE(device["available"].is_boolean());
    EXPECT_NE(device["description"], "");
    EXPECT_TRUE(device["details"].is_object());
    EXPECT_EQ(device.size(), 4u);
  }
  EXPECT_EQ(names.front(), "cpu");
  EXPECT_EQ(names.back(), "reference");
}

}  // namespace
}  // namespace digitron
