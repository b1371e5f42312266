#include "host/files/run_directory.h"
#include "host/train/run_json.h"

#include <gmock/gmock.h>

#include "host/core/error.h"
#include "host/files/json.h"
#include "host/machine/build.h"
#include "host/machine/machine.h"
#include "host/train/settings_json.h"
#include "tests/data_testing.h"
#include "tests/fake_engine.h"
#include "tests/file_size_limit.h"
#include "tests/models.h"

namespace digitron {
namespace {

using nlohmann::json;
using testing::error_of;
using testing::FakeEngine;
using testing::FileSizeLimit;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::names_in;
using testing::read_file;
using testing::TemporaryDirectory;
using ::testing::UnorderedElementsAre;
using testing::write_file;

TEST(RunDirectoryTest, DefaultIsNamedAfterTheModel) {
  EXPECT_EQ(default_run_directory(lenet5()), "runs/lenet5");
  EXPECT_EQ(default_run_directory(custom_mlp()), "runs/custom-mlp");
  EXPECT_EQ(default_run_directory(parse_model("conv 6x5 pad 2, relu, fc 10")),
            "runs/conv-6x5-pad-2-relu-fc-10");
  const std::string many_layers =
      "fc 12, relu, fc 12, relu, fc 12, relu, fc 12, relu, fc 12, relu, fc 10";
  EXPECT_LE(default_run_directory(parse_model(many_layers)).string().size(), 65u);
}

TEST(RunDirectoryTest, StartsWithTheRunAndEmptyMetrics) {
  const TemporaryDirectory directory;
  const auto path = directory / "a" / "b";
  const RunDirectory run(path, {{"seed", 1}});
  EXPECT_EQ(json::parse(read_file(path / "run.json")), json({{"seed", 1}}));
  EXPECT_EQ(read_file(path / "metrics.jsonl"), "");
  EXPECT_THAT(names_in(path), UnorderedElementsAre("run.json", "metrics.jsonl", ".lock"));
}

TEST(RunDirectoryTest, AppendsAndReplaces) {
  const TemporaryDirectory directory;
  {
    RunDirectory run(directory.path(), {});
    run.append("{\"a\":1}\n");
    EXPECT_EQ(read_file(directory / "metrics.jsonl"), "{\"a\":1}\n") << "flushed at once";
    run.append("{\"a\":2}\n{\"a\":3}\n");
    EXPECT_EQ(read_file(directory / "metrics.jsonl"), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
  }
  write_file(directory / "model.safetensors", "old");
  write_file(directory / "model.safetensors.123.4.tmp", "half");
  EXPECT_THAT(error_of<InputError>([&] { RunDirectory(directory.path(), {}); }),
              HasSubstr(" holds a run; go on with it (--resume), give another --out"));
  EXPECT_EQ(read_file(directory / "model.safetensors"), "old");
  const RunDirectory again(directory.path(), {{"b", 1}}, RunDirectory::IfThere::kOverwrite);
  EXPECT_EQ(read_file(directory / "metrics.jsonl"), "");
  EXPECT_THAT(names_in(directory.path()),
              UnorderedElementsAre("run.json", "metrics.jsonl", ".lock"))
      << "neither an old run's weights nor what it left half written";
}

TEST(RunDirectoryTest, WithoutANameOfItsOwnARunStandsBesideTheOlderOnes) {
  const TemporaryDirectory directory;
  const auto path = directory / "runs" / "lenet5";
  const auto start = [&] { return RunDirectory::start_beside(path, {}); };
  const RunDirectory first = start();
  const RunDirectory second = start();
  EXPECT_EQ(first.path(), path);
  EXPECT_EQ(second.path(), path.string() + "-2");
  std::filesystem::create_directory(path.string() + "-3");
  EXPECT_EQ(start().path(), path.string() + "-3") << "an empty one is free";
}

TEST(RunDirectoryTest, TellsWhenItsMetricsAreTakenAway) {
  const TemporaryDirectory directory;
  RunDirectory run(directory.path(), {});
  std::filesystem::remove(directory / "metrics.jsonl");
  EXPECT_THAT(error_of<MachineError>([&] { run.append("{}\n"); }),
              HasSubstr("metrics.jsonl was removed or replaced while the run was going on"));
}

TEST(RunDirectoryTest, CannotBeCreated) {
  const TemporaryDirectory directory;
  write_file(directory / "file", "content");
  for (const auto& path :
       {directory / "file", directory / "file" / "out", std::filesystem::path("/proc/out")}) {
    EXPECT_THAT(error_of<InputError>([&] { RunDirectory(path, {}); }),
                AllOf(HasSubstr("cannot create the output directory " + path.string() + ": No"),
                      HasSubstr("; give one that can be written, with --out")));
  }
  EXPECT_EQ(read_file(directory / "file"), "content");
}

TEST(RunDirectoryTest, CannotBeWritten) {
  const std::string message = error_of<InputError>([] { RunDirectory("/proc", {}); });
  EXPECT_THAT(message, HasSubstr("cannot write /proc/.lock"));
  EXPECT_THAT(message, HasSubstr("; choose a directory"));
}

TEST(RunDirectoryTest, FilesThatAreDirectories) {
  for (const char* name : {"run.json", "metrics.jsonl", "train.log", "model.safetensors"}) {
    const TemporaryDirectory directory;
    std::filesystem::create_directory(directory / name);
    EXPECT_EQ(error_of<InputError>([&] { RunDirectory(directory.path(), {}); }),
              (directory / name).string() + " is a directory; move it away, or give another --out");
    EXPECT_THAT(names_in(directory.path()), UnorderedElementsAre(name));
  }
}

TEST(RunDirectoryTest, FullDiskAtTheStartLeavesTheOldFiles) {
  const TemporaryDirectory directory;
  write_file(directory / "run.json", "old run");
  write_file(directory / "metrics.jsonl", "old metrics");
  const FileSizeLimit limit(4);
  EXPECT_THAT(error_of<MachineError>([&] {
                RunDirectory(directory.path(), {{"seed", 1}}, RunDirectory::IfThere::kOverwrite);
              }),
              HasSubstr((directory / "run.json").string()));
  EXPECT_EQ(read_file(directory / "run.json"), "old run");
  EXPECT_EQ(read_file(directory / "metrics.jsonl"), "old metrics");
  EXPECT_EQ(names_in(directory.path()).size(), 2u);
}

TEST(RunDirectoryTest, FullDiskLaterKeepsWholeLines) {
  const TemporaryDirectory directory;
  RunDirectory run(directory.path(), {});
  run.append("{\"a\":1}\n");
  const FileSizeLimit limit(12);
  const std::string message = error_of<MachineError>([&] { run.append("{\"a\":2}\n{\"a\":3}\n"); });
  EXPECT_THAT(message, HasSubstr("cannot write " + (directory / "metrics.jsonl").string()));
  EXPECT_THAT(message, HasSubstr("; free some space, then run again"));
  EXPECT_EQ(read_file(directory / "metrics.jsonl"), "{\"a\":1}\n");
}

TEST(RunDirectoryTest, EventsAreAsDesigned) {
  EXPECT_EQ(step_event(1, 7, 2.5), "{\"event\":\"step\",\"epoch\":1,\"step\":7,\"loss\":2.5}\n");
  const EpochResult whole{2, {8, 3, 4}, Metrics{1, 1, 2}, 0.5, false, 0.25, 0.01, "now"};
  EXPECT_EQ(epoch_event(whole),
            "{\"event\":\"epoch\",\"epoch\":2,\"train_loss\":2.0,\"train_accuracy\":0.75,"
            "\"test_loss\":0.5,\"test_accuracy\":0.5,\"seconds\":0.5,\"images_per_second\":8.0,"
            "\"evaluation_seconds\":0.25,\"lr\":0.01,\"time\":\"now\"}\n");
  const EpochResult part{2, {8, 3, 4}, {}, 0.5, false, 0, 0.01, "now"};
  EXPECT_EQ(epoch_event(part),
            "{\"event\":\"epoch\",\"epoch\":2,\"train_loss\":2.0,\"train_accuracy\":0.75,"
            "\"seconds\":0.5,\"images_per_second\":8.0,\"lr\":0.01,\"time\":\"now\","
            "\"interrupted\":true}\n");
}

TEST(RunDirectoryTest, LossesKeepTheirPrecision) {
  const double loss = 2.3025850929940459;
  EXPECT_EQ(json::parse(step_event(1, 1, loss))["loss"].get<double>(), loss);
}

TEST(RunDirectoryTest, DescriptionHasEverySetting) {
  FakeEngine engine(make_plan(lenet5(), 50));
  Data data;
  data.train = std::make_shared<Dataset>(Dataset{{}, {1, 2, 3}});
  data.test = std::make_shared<Dataset>(Dataset{{}, {1}});
  data.source = "somewhere";
  data.description = "somewhere's digits";
  data.sha256 = "abc";
  TrainSettings settings;
  settings.batch = 50;
  settings.max_steps = 7;
  SessionRequest request;
  request.command = {"digitron", "train", "\xff"};
  request.device.device = "cpu";
  request.device.threads = 2;
  request.init = "init.file";
  const json run = run_description(request, settings, engine, "", data);
  EXPECT_EQ(run["digitron"], version());
  EXPECT_EQ(run["compiler"], compiler());
  EXPECT_EQ(run["build"], json(build_json()));
  EXPECT_EQ(run["machine"], json(host_json()));
  EXPECT_THAT(run["started"].get<std::string>(),
              MatchesRegex("20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z"));
  EXPECT_EQ(run["model"]["name"], "LeNet-5");
  EXPECT_EQ(run["model"]["text"], to_text(lenet5()));
  EXPECT_EQ(run["model"]["parameters"], 61706);
  EXPECT_EQ(run["device"]["description"], "fake");
  EXPECT_EQ(run["device"]["threads"], 2);
  EXPECT_EQ(run["device"]["cpu"], cpu_name());
  request.device.threads = kAutoThreads;
  EXPECT_EQ(run_description(request, settings, engine, "", data)["device"]["threads"], "auto");
  EXPECT_FALSE(run["device"].contains("fallback"));
  EXPECT_FALSE(run["device"].contains("details"));
  EXPECT_EQ(run["precision"], "fp32");
  EXPECT_EQ(run["data"]["sha256"], "abc");
  EXPECT_EQ(run["data"]["is_mnist"], false);
  EXPECT_EQ(run["data"]["train_images"], 3);
  json expected = settings_json(settings);
  expected["init"] = "init.file";
  EXPECT_EQ(run["settings"], expected);
  const TemporaryDirectory directory;
  EXPECT_NO_THROW(RunDirectory(directory.path(), run)) << "an argument that is not UTF-8";
}

TEST(RunDescription, TellsOfTheDeviceAndOfTheOneThatAutoPassedOver) {
  testing::FakeEngine engine(make_plan(parse_model("fc 10"), 4));
  engine.more = {{"libraries", "cuDNN", "9.19.0"}, {"memory bytes", "x", int64_t{1} << 40}};
  const json device = device_description(DeviceRequest(), engine, "the driver is too old");
  EXPECT_EQ(device["asked"], "auto");
  EXPECT_EQ(device["fallback"], "the driver is too old");
  EXPECT_EQ(device["details"]["libraries"]["cuDNN"], "9.19.0");
  EXPECT_EQ(device["details"]["memory bytes"]["x"], int64_t{1} << 40);
}

}  // namespace
}  // namespace digitron
