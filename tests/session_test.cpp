// A run from its request to its files, without the command line.
#include "host/train/session.h"

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "host/core/error.h"
#include "tests/idx_files.h"

namespace digitron {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::read_file;
using ::testing::UnorderedElementsAre;

constexpr int kSessionImages = 100;  // 7 steps of 16, the last one ragged
constexpr int kTestCount = 20;
constexpr const char* kModel = "conv 2x5, bn, dropout 0.5, fc 10";

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() : old_logger_(spdlog::default_logger()) {
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
    testing::write_idx_directory(directory_ / "data", testing::small_dataset(kSessionImages),
                                 testing::small_dataset(kTestCount, 3));
  }
  ~SessionTest() override { spdlog::set_default_logger(old_logger_); }

  SessionRequest request(const std::string& out, const ordered_json& settings = {}) const {
    SessionRequest request;
    request.model = kModel;
    request.data = directory_ / "data";
    request.device.device = "cpu";
    request.settings = {{"epochs", 2}, {"batch", 16}, {"seed", 5}};
    request.settings.update(settings.is_null() ? ordered_json::object() : settings);
    request.out = directory_ / out;
    request.overwrite = true;
    return request;
  }
  SessionRequest resumed(const std::string& name, const ordered_json& settings = {}) const {
    SessionRequest request;
    request.device.device = "cpu";
    if (!settings.is_null()) request.settings = settings;
    request.resume = directory_ / name;
    return request;
  }
  TrainResult run(const SessionRequest& request) {
    return run_session(request, [this]() -> const std::atomic<bool>& { return stop_; });
  }

  std::string file(const std::string& run, const std::string& name) const {
    return read_file(directory_ / run / name);
  }
  json description(const std::string& run) const { return json::parse(file(run, "run.json")); }
  std::vector<json> events(const std::string& run) const {
    std::vector<json> events;
    std::istringstream lines(file(run, "metrics.jsonl"));
    for (std::string line; std::getline(lines, line);) events.push_back(json::parse(line));
    return events;
  }
  std::vector<float> parameters(const std::string& run) const {
    return load_state(directory_ / run / "model.safetensors", plan_).parameters;
  }

  const Plan plan_ = make_plan(find_model(kModel), 16);
  testing::TemporaryDirectory directory_;
  std::atomic<bool> stop_{false};
  std::ostringstream log_;
  std::shared_ptr<spdlog::logger> old_logger_;
};

TEST_F(SessionTest, ANewRunTrainsAndTestsItself) {
  const TrainResult result = run(request("out"));
  EXPECT_EQ(result.steps, 14);
  EXPECT_FALSE(result.interrupted);
  EXPECT_EQ(result.test.value().count, kTestCount);
  EXPECT_THAT(testing::names_in(directory_ / "out"),
              UnorderedElementsAre("run.json", "metrics.jsonl", "train.log", "model.safetensors",
                                   "resume.safetensors"));
  EXPECT_EQ(description("out")["settings"]["seed"], 5);
  EXPECT_EQ(description("out")["settings"]["lr"], 0.01);
  EXPECT_EQ(events("out").back()["test_loss"], result.test->loss());
  EXPECT_NE(parameters("out"), initial_parameters(plan_, 5));
}

TEST_F(SessionTest, ARunIsNeverStartedOverAnother) {
  run(request("out"));
  const auto id = description("out")["id"];
  SessionRequest again = request("out", {{"seed", 6}});
  again.overwrite = false;
  EXPECT_EQ(error_of<InputError>([&] { run(again); }),
            (directory_ / "out").string() +
                " holds a run; go on with it (--resume), give another --out, or give it up "
                "(--overwrite)");
  EXPECT_EQ(description("out")["settings"]["seed"], 5);
  again.overwrite = true;
  run(again);
  EXPECT_EQ(description("out")["settings"]["seed"], 6);
  EXPECT_NE(description("out")["id"], id);
}

TEST_F(SessionTest, FilesOfTwoRunsDoNotResume) {
  run(request("first", {{"max_steps", 9}}));
  run(request("second", {{"max_steps", 9}}));
  std::filesystem::copy_file(directory_ / "first" / "resume.safetensors",
                             directory_ / "second" / "resume.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(error_of<InputError>([&] { run(resumed("second")); }),
              HasSubstr("is of another run"));
}

TEST_F(SessionTest, AResumedRunEndsAsAWholeOneWould) {
  for (const auto& [name, value] : {std::pair{"optimizer", "adam"}, {"schedule", "cosine"}}) {
    const ordered_json both{{name, value}, {"ema", 0.5}};
    run(request("whole", both));
    ordered_json half = both;
    half["max_steps"] = 9;
    run(request("half", half));
    SessionRequest rest = resumed("half", {{"max_steps", nullptr}});
    rest.force = true;
    EXPECT_EQ(run(rest).steps, 14);
    EXPECT_TRUE(testing::tensor_bytes(directory_ / "half" / "model.safetensors") ==
                testing::tensor_bytes(directory_ / "whole" / "model.safetensors"));
    const json resumed_in = description("half")["resumed"][0];
    EXPECT_EQ(resumed_in["epoch"], 2);
    EXPECT_EQ(resumed_in["step"], 2);
    EXPECT_THAT(resumed_in["device"]["description"], HasSubstr("CPU"));
    EXPECT_TRUE(description("half")["settings"]["max_steps"].is_null());
  }
  EXPECT_THAT(log_.str(), HasSubstr("Resumed in epoch 2 of 2, after its step 2"));
  EXPECT_THAT(file("half", "train.log"), AllOf(HasSubstr(" | Epoch [1/2]: Train Loss: "),
                                               HasSubstr("\nResumed in epoch 2 of 2"),
                                               HasSubstr(" | Epoch [2/2]: Train Loss: ")));
  EXPECT_THAT(file("whole", "train.log"), Not(HasSubstr("Resumed"))) << "a new run's replaces it";
}

TEST_F(SessionTest, OnlyForceChangesARun) {
  run(request("out"));
  SessionRequest more = resumed("out", {{"epochs", 3}});
  const std::string before = file("out", "run.json");
  EXPECT_EQ(error_of<InputError>([&] { run(more); }),
            "--epochs is 3, but the run that --resume continues has 2; leave it out, or add "
            "--force to go on with the new value");
  more = resumed("out");
  more.dropout = 0.25;
  EXPECT_THAT(error_of<InputError>([&] { run(more); }), HasSubstr("--dropout is not what the run"));
  EXPECT_EQ(file("out", "run.json"), before);
  more.settings = {{"epochs", 3}};
  more.force = true;
  EXPECT_EQ(run(more).steps, 21);
  EXPECT_EQ(description("out")["settings"]["epochs"], 3);
  EXPECT_EQ(description("out")["model"]["text"], "conv 2x5, bn, dropout 0.25, fc 10");
}

TEST_F(SessionTest, StepsToCaptureThatAreOverLeaveAResumedRunAsItWas) {
  run(request("out", {{"max_steps", 9}}));
  SessionRequest rest = resumed("out", {{"max_steps", nullptr}});
  rest.force = true;
  rest.profile_steps = "9:12";
  const std::string before = file("out", "run.json");
  EXPECT_THAT(error_of<InputError>([&] { run(rest); }), HasSubstr("the first step allowed is 10"));
  EXPECT_EQ(file("out", "run.json"), before);
}

// The CPU has one way through a step, and goes on with whatever a GPU has begun.
TEST_F(SessionTest, AGpusStepIsKeptAndNoMatterElsewhere) {
  run(request("out", {{"max_steps", 9}}));
  json on_a_gpu = description("out");
  on_a_gpu["device"]["details"]["step"]["way"] = "fused";
  testing::write_file(directory_ / "out" / "run.json", on_a_gpu.dump());
  SessionRequest rest = resumed("out");
  rest.device.cuda.step = StepKind::kLayers;
  EXPECT_THAT(error_of<InputError>([&] { run(rest); }), HasSubstr("--step is layers, but the run"));
  EXPECT_FALSE(description("out").contains("resumed"));
  rest.device.cuda.step = StepKind::kAuto;
  run(rest);
  EXPECT_EQ(description("out")["resumed"].size(), 1u);
}

TEST_F(SessionTest, AValidationRunEndsWithTheTestSet) {
  const TrainResult result = run(request("out", {{"validation", 30}, {"patience", 1}}));
  EXPECT_EQ(result.test.value().count, kTestCount);
  const json end = events("out").back();
  EXPECT_EQ(end["event"], "final");
  EXPECT_EQ(end["test_loss"], result.test->loss());
  EXPECT_TRUE(events("out").front().contains("validation_loss"));
  EXPECT_THAT(log_.str(), HasSubstr("Final test accuracy: "));
}

// At a rate of 0 the average of the parameters stays what it starts as.
TEST_F(SessionTest, TheAverageStartsAsTheInitialParameters) {
  run(request("drawn", {{"lr", 0}, {"ema", 0.5}}));
  EXPECT_EQ(parameters("drawn"), initial_parameters(plan_, 5));
  run(request("first"));
  SessionRequest from_file = request("read", {{"lr", 0}, {"ema", 0.5}});
  from_file.init = directory_ / "first" / "model.safetensors";
  run(from_file);
  EXPECT_EQ(parameters("read"), parameters("first"));
  EXPECT_EQ(load_state(directory_ / "read" / "model.safetensors", plan_).batches_tracked, 28);
}

TEST_F(SessionTest, ARecipeGivesWayToWhatWasAskedFor) {
  SessionRequest best = request("out", {{"lr", 0.02}, {"max_steps", 1}});
  best.model = "lenet5-best";
  run(best);
  const json settings = description("out")["settings"];
  EXPECT_EQ(settings["lr"], 0.02);
  EXPECT_EQ(settings["schedule"], "cosine");
  EXPECT_EQ(settings["shear"], 5);
}

TEST_F(SessionTest, AStopIsNoEnd) {
  stop_ = true;
  const TrainResult result = run(request("out", {{"validation", 30}}));
  EXPECT_TRUE(result.interrupted);
  EXPECT_FALSE(result.test.has_value());
  EXPECT_TRUE(events("out").empty());
  EXPECT_THAT(log_.str(), Not(HasSubstr("Wrote run.json")));
}

TEST_F(SessionTest, NonsenseLeavesNothingBehind) {
  const auto message = [&](auto change) {
    SessionRequest bad = request("out");
    change(bad);
    return error_of<InputError>([&] { run(bad); });
  };
  EXPECT_THAT(message([](SessionRequest& r) { r.model = "resnet"; }), HasSubstr("unknown model"));
  EXPECT_THAT(message([](SessionRequest& r) { r.settings["lr"] = -1; }), HasSubstr("--lr is -1"));
  EXPECT_THAT(message([](SessionRequest& r) { r.settings["batch"] = 101; }),
              HasSubstr("--batch is 101, but the training set has 100 images"));
  EXPECT_THAT(message([](SessionRequest& r) { r.dropout = 1; }), HasSubstr("below 1"));
  EXPECT_THAT(message([](SessionRequest& r) { r.force = true; }),
              HasSubstr("--force goes with --resume"));
  EXPECT_THAT(message([](SessionRequest& r) { r.init = "nowhere"; }), HasSubstr("nowhere"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "out"));

  run(request("there"));
  EXPECT_THAT(message([&](SessionRequest& r) { r.resume = directory_ / "there"; }),
              HasSubstr("--out does not go with --resume"));
}

}  // namespace
}  // namespace digitron
