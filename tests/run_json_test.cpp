// What --resume makes of run.json: its settings, model, device and data, and what it refuses.
#include "host/train/run_json.h"

#include <gmock/gmock.h>

#include "host/core/error.h"
#include "host/files/json.h"
#include "host/train/settings_json.h"
#include "tests/data_testing.h"
#include "tests/models.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;

constexpr int kRunBatch = 16;

TrainSettings settings_of_the_run() {
  TrainSettings settings;
  settings.batch = kRunBatch;
  settings.optimizer = OptimizerKind::kAdam;
  settings.lr = 0.001;
  settings.ema = 0.9;
  return settings;
}

ordered_json some_run() {
  return {
      {"settings", settings_json(settings_of_the_run())},
      {"model", {{"id", "lenet5"}, {"name", "LeNet-5"}, {"text", to_text(lenet5())}}},
      {"data", {{"source", "here"}, {"sha256", "abc"}, {"train_images", 2}, {"test_images", 1}}}};
}

TEST(ResumedSettings, OptionsThatWereNotGivenAreTheRuns) {
  EXPECT_EQ(settings_json(resumed_settings(some_run(), ordered_json::object(), false)),
            settings_json(settings_of_the_run()));
}

TEST(ResumedSettings, ADifferentOneIsRefusedUnlessForced) {
  EXPECT_NO_THROW(resumed_settings(some_run(), settings_json(settings_of_the_run()), false));
  EXPECT_EQ(error_of<InputError>([] {
              resumed_settings(some_run(), {{"lr", 0.5}}, false);
            }),
            "--lr is 0.5, but the run that --resume continues has 0.001; leave it out, or add "
            "--force to go on with the new value");
  EXPECT_EQ(resumed_settings(some_run(), {{"lr", 0.5}}, true).lr, 0.5);
  EXPECT_THAT(
      error_of<InputError>([] {
        resumed_settings(some_run(), {{"optimizer", "sgd"}}, false);
      }),
      HasSubstr("--optimizer is \"sgd\", but the run that --resume continues has \"adam\""));
}

TEST(ResumedSettings, WhatAStepIsCanChangeOnlyBetweenEpochs) {
  TrainSettings settings = settings_of_the_run();
  EXPECT_NO_THROW(check_step_fits(some_run(), settings, 5));
  settings.batch = kRunBatch + 1;
  EXPECT_NO_THROW(check_step_fits(some_run(), settings, 0));
  EXPECT_EQ(error_of<InputError>([&] { check_step_fits(some_run(), settings, 5); }),
            "--batch is 17, but the run that --resume continues has 16; it can change only between "
            "two epochs: finish this one first");
}

TEST(ResumedState, MustBeOfTheRunAndFitIt) {
  ordered_json run = some_run();
  EXPECT_NO_THROW(check_same_run(run, "b"));
  run["id"] = "a";
  EXPECT_NO_THROW(check_same_run(run, "a"));
  EXPECT_NO_THROW(check_same_run(run, ""));
  EXPECT_THAT(error_of<InputError>([&] { check_same_run(run, "b"); }),
              HasSubstr("resume.safetensors is of another run than run.json"));
  RunState state;
  state.epoch = 2;
  state.step = 2;
  state.train = {1, 5, 2 * kRunBatch};
  EXPECT_NO_THROW(check_state_fits(run, state, 2 * kRunBatch + 1));
  const std::string expected =
      "tells of 32 images in 2 steps of its epoch, where the run has 32 images in steps of 16";
  EXPECT_THAT(error_of<InputError>([&] { check_state_fits(run, state, 2 * kRunBatch); }),
              HasSubstr(expected));
  state.step = 3;
  EXPECT_THROW(check_state_fits(run, state, 100 * kRunBatch), InputError);
}

ordered_json some_device(const char* way) {
  ordered_json device{{"description", "some device"}};
  if (way) device["details"]["step"]["way"] = way;
  return device;
}

TEST(ResumedStep, IsTheRunsUnlessForced) {
  ordered_json run = some_run();
  run["device"] = some_device("layers");
  EXPECT_EQ(resumed_step(run, StepKind::kAuto, false), StepKind::kLayers);
  EXPECT_EQ(resumed_step(run, StepKind::kLayers, false), StepKind::kLayers);
  EXPECT_EQ(error_of<InputError>([&] { resumed_step(run, StepKind::kFused, false); }),
            "--step is fused, but the run that --resume continues has layers; leave it out, or add "
            "--force to go on with the new value");
  EXPECT_EQ(resumed_step(run, StepKind::kFused, true), StepKind::kFused);
  EXPECT_EQ(resumed_step(run, StepKind::kAuto, true), StepKind::kLayers);
}

TEST(ResumedStep, IsFreeWhereTheRunNamesNone) {
  ordered_json on_the_cpu = some_run();
  on_the_cpu["device"] = some_device(nullptr);
  for (const ordered_json& run : {some_run(), on_the_cpu}) {
    for (const StepKind asked : {StepKind::kAuto, StepKind::kFused, StepKind::kLayers}) {
      EXPECT_EQ(resumed_step(run, asked, false), asked);
    }
  }
}

TEST(ResumedStep, IsThatOfTheNewestStartWhichNamesOne) {
  ordered_json run = some_run();
  run["device"] = some_device("fused");
  run["resumed"] = {{{"device", some_device("layers")}}, {{"device", some_device(nullptr)}}};
  EXPECT_EQ(resumed_step(run, StepKind::kAuto, false), StepKind::kLayers);
  run["resumed"].push_back({{"device", some_device("later")}});
  EXPECT_EQ(error_of<InputError>([&] { resumed_step(run, StepKind::kAuto, false); }),
            "--step is 'later'; give auto, fused or layers");
}

TEST(ResumedModel, IsTheRunsAndNoOther) {
  const Model model = resumed_model(some_run(), "");
  EXPECT_EQ(model.name, "LeNet-5");
  EXPECT_EQ(model.layers, lenet5().layers);
  EXPECT_NO_THROW(resumed_model(some_run(), "lenet5"));
  EXPECT_THAT(error_of<InputError>([] { resumed_model(some_run(), "custom-mlp"); }),
              HasSubstr("--model is custom-mlp, but the run that --resume continues has lenet5"));
}

TEST(ResumedData, MustBeTheRuns) {
  Data data;
  data.train = std::make_shared<Dataset>(Dataset{{}, {1, 2}});
  data.test = std::make_shared<Dataset>(Dataset{{}, {1}});
  data.sha256 = "abc";
  EXPECT_NO_THROW(check_same_data(some_run(), data));
  data.sha256 = "abd";
  EXPECT_THAT(error_of<InputError>([&] { check_same_data(some_run(), data); }),
              HasSubstr("SHA-256 is \"abd\", but the run that --resume continues has \"abc\""));
  data.train = data.test;
  EXPECT_THAT(error_of<InputError>([&] { check_same_data(some_run(), data); }),
              HasSubstr("the number of training images is 1, but"));
}

TEST(ReadRun, WhatIsNoRunIsSaid) {
  const TemporaryDirectory directory;
  EXPECT_THAT(error_of<InputError>([&] { read_description(directory.path()); }),
              HasSubstr("run.json: No such file or directory; give the directory of a run"));
  const auto expect_error = [&](const std::string& text, const std::string& message) {
    testing::write_file(directory / "run.json", text);
    EXPECT_THAT(error_of<InputError>([&] { read_description(directory.path()); }),
                HasSubstr(message))
        << text.substr(0, 60);
  };
  for (const char* text : {"", "{", "[]"}) expect_error(text, "is not a whole JSON object");
  expect_error("{\"a\":" + std::string(80'000, '['), "is not a whole JSON object");
  expect_error("{\"settings\": {}}", "run.json: model is missing");
  expect_error("{\"settings\": 3}", "run.json: settings is 3; it must be an object");
  ordered_json run = some_run();
  run["model"]["name"] = 5;
  expect_error(run.dump(), "run.json: model: name is 5; it must be a text");
  run = some_run();
  run["resumed"] = 7;
  expect_error(run.dump(), "run.json: resumed is 7; it must be a list");
  run["resumed"] = {{{"device", {{"details", {{"step", {{"way", true}}}}}}}}};
  expect_error(run.dump(), "resumed: device: details: step: way is true; it must be a text");
  testing::write_file(directory / "run.json", some_run().dump());
  EXPECT_EQ(read_description(directory.path()), some_run());
}

TEST(ResumedRun, SaysWhenAndKeepsTheRest) {
  TrainSettings settings = settings_of_the_run();
  settings.epochs = 9;
  ordered_json run = some_run();
  run["settings"]["init"] = "file";
  run = resumed_run(run, settings, {"digitron", "train"}, 3, 5);
  run = resumed_run(run, settings, {"digitron", "train"}, 4, 0);
  EXPECT_EQ(run["settings"]["epochs"], 9);
  EXPECT_EQ(run["settings"]["init"], "file");
  EXPECT_EQ(run["model"], some_run()["model"]);
  ASSERT_EQ(run["resumed"].size(), 2u);
  EXPECT_EQ(run["resumed"][0]["epoch"], 3);
  EXPECT_EQ(run["resumed"][0]["step"], 5);
}

}  // namespace
}  // namespace digitron
