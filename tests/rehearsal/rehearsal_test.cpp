// The program with its CUDA module, opened across the real boundary: what it says of the device,
// and what comes out of errors that are thrown inside. That it does all else that the program does
// is shown by the program's own tests, which are run beside these on the same module.
#include "host/files/json.h"
#include "host/files/model_state.h"
#include "tests/engine_testing.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramResult;
using testing::read_file;
using testing::run_program;
using testing::run_shell;
using testing::write_file;

class RehearsalTest : public testing::ProgramTest {
 protected:
  json run() const { return json::parse(read_file(out() + "/run.json")); }

  // A training in whose module a call fails: "cudaStreamSynchronize 719 40".
  ProgramResult train_with_fault(const std::string& fault, const std::vector<std::string>& more) {
    return run_shell("HOST_CUDA_FAULT='" + fault + "' exec \"$0\" \"$@\"", train_arguments(more));
  }

  // Two epochs over `images` into file("whole"), and the same into out(), stopped in the midst and
  // resumed.
  void stop_and_resume(int images, const std::vector<std::string>& more) {
    testing::write_idx_directory(file("more"), testing::bars(images), testing::bars(10));
    const auto run_of = [&](const std::string& where) {
      std::vector<std::string> arguments{
          "train", "--data",      file("more"), "--epochs", "2",         "--batch",
          "2",     "--log-steps", "--out",      where,      "--augment", "--ema",
          "0.9",   "--optimizer", "adam",       "--device", "cuda"};
      arguments.insert(arguments.end(), more.begin(), more.end());
      return arguments;
    };
    ASSERT_EQ(run_program(run_of(file("whole"))).exit_code, 0);
    testing::Process process(testing::program(run_of(out())));
    for (int i = 0; i < 30000 && read_file(out() + "/metrics.jsonl").empty(); ++i) usleep(1000);
    process.send(SIGINT);
    ASSERT_EQ(process.wait().exit_code, 130);
    const ProgramResult resumed = run_program({"train", "--resume", out(), "--device", "cuda"});
    EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_THAT(resumed.out, HasSubstr("Resumed in epoch "));
    EXPECT_TRUE(testing::tensor_bytes(out() + "/model.safetensors") ==
                testing::tensor_bytes(file("whole") + "/model.safetensors"));
  }

  // The rows of a bench on the GPU that stops at once.
  json bench(const std::vector<std::string>& more) {
    const std::string path = file("bench.json");
    std::vector<std::string> arguments{
        "bench", "--data",    data(), "--device", "cuda", "--steps-per-graph",
        "4",     "--repeat",  "1",    "--warmup", "0",    "--min-time",
        "0",     "--timeout", "0",    "--json",   path};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json::parse(read_file(path))["rows"];
  }

  // The program in a folder of its own, with `module` as its module's bytes; empty: without one.
  std::string program_beside(const std::string& module) {
    std::filesystem::create_directory(file("elsewhere"));
    const std::string program = file("elsewhere") + "/digitron";
    std::filesystem::copy_file(DIGITRON_PROGRAM, program);
    if (!module.empty()) write_file(file("elsewhere") + "/libdigitron_cuda.so", module);
    return program;
  }
  ProgramResult train_with(const std::string& program, const std::vector<std::string>& more) {
    std::vector<std::string> command = train_arguments(more);
    command.insert(command.begin(), program);
    return testing::Process(command).wait();
  }
};

const std::vector<std::string> kConv{"--model", "conv 4x5 stride 2, relu, maxpool 2, fc 10"};

std::vector<std::string> with(std::vector<std::string> options,
                              const std::vector<std::string>& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

TEST_F(RehearsalTest, DevicesNamesTheGpuAndTheLibrariesWithTheirPaths) {
  const ProgramResult result = run_program({"devices"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("cuda:0     available"));
  EXPECT_THAT(result.out, HasSubstr("compute capability 9.0"));
  EXPECT_THAT(result.out, HasSubstr("uuid: GPU-"));
  for (const char* library : {"cuDNN", "cuBLAS", "cuBLASLt"}) {
    EXPECT_THAT(result.out, HasSubstr(std::string(library) + " path: /")) << result.out;
  }
}

TEST_F(RehearsalTest, AutoTakesTheGpuAndRunJsonTellsOfIt) {
  const ProgramResult result = train(kConv);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Device: CUDA, stand-in for CUDA on the host"));
  EXPECT_THAT(result.out, Not(HasSubstr("Warning: an NVIDIA driver is here")));
  const json device = run()["device"];
  EXPECT_FALSE(device.contains("fallback"));
  const json details = device["details"];
  EXPECT_EQ(details["gpu"]["compute capability"], "9.0");
  EXPECT_EQ(details["libraries"]["CUDA of the driver"], "13.0");
  EXPECT_EQ(details["algorithms at batch 64"]["conv1 forward"], "IMPLICIT_PRECOMP_GEMM");
  EXPECT_EQ(details["algorithms at batch 64"]["conv1 backward weights"], "ALGO_1");
  EXPECT_EQ(details["memory bytes"]["train images"], 200 * 784);
}

TEST_F(RehearsalTest, TrainsAndEvaluatesAsTheCpuDoes) {
  json last[2];
  std::string evaluated[2];
  for (const bool gpu : {false, true}) {
    const char* device = gpu ? "cuda" : "cpu";
    ASSERT_EQ(train(with(kConv, {"--device", device, "--epochs", "2"})).exit_code, 0);
    const std::string lines = read_file(out() + "/metrics.jsonl");
    last[gpu] = json::parse(lines.substr(lines.find('\n') + 1));
    const ProgramResult eval = run_program({"eval", "--checkpoint", out() + "/model.safetensors",
                                            "--data", data(), "--device", device});
    EXPECT_EQ(eval.exit_code, 0) << eval.err;
    evaluated[gpu] = eval.out;
  }
  for (const char* key : {"train_loss", "test_loss"}) {
    const auto cpu = last[0][key].get<double>();
    EXPECT_TRUE(std::abs(last[1][key].get<double>() - cpu) <= 1e-4 * cpu) << key;
  }
  EXPECT_EQ(evaluated[0], evaluated[1]);
}

TEST_F(RehearsalTest, BenchRunsInBothModes) {
  const json rows = bench({"--model", kConv[1], "--batch", "16", "--mode", "graph,eager"});
  ASSERT_EQ(rows.size(), 2u);
  for (const json& row : rows) {
    const bool graph = row["mode"] == "graph";
    EXPECT_EQ(row["steps_per_sample"], graph ? 4 : 1);
    EXPECT_EQ(row["step"], "layers");
    EXPECT_TRUE(row["threads"].is_null());
    EXPECT_EQ(row["repeats"][0]["clock"], "device");
    EXPECT_EQ(row["repeats"][0]["cold_start"]["recording"].is_number(), graph);
    EXPECT_EQ(row["details"]["algorithms at batch 16"]["conv1 forward"], "IMPLICIT_PRECOMP_GEMM");
  }
  EXPECT_EQ(rows[1]["mode"], "eager");
}

TEST_F(RehearsalTest, ProfileTellsThePhasesOfEachStep) {
  const auto profile = [&](const std::vector<std::string>& more) {
    return run_program(with(
        {"bench", "--breakdown", "--model", "conv 2x5, relu, fc 10", "--data", data(), "--batch",
         "16", "--repeat", "1", "--timeout", "0", "--warmup", "0", "--min-time", "0"},
        more));
  };
  const ProgramResult fused = profile({"--step", "fused"});
  EXPECT_EQ(fused.exit_code, 0) << fused.err;
  EXPECT_THAT(fused.out, HasSubstr("CUDA, stand-in for CUDA on the host"));
  for (const char* row :
       {"\ngather ", "\nconv1 activation  forward ", "\nconv1             backward "})
    EXPECT_THAT(fused.out, HasSubstr(row));
  const ProgramResult layers = profile({"--step", "layers"});
  EXPECT_EQ(layers.exit_code, 0) << layers.err;
  for (const char* row : {"\nconv1       forward ", "\nupdate ", "\nsum / step "})
    EXPECT_THAT(layers.out, HasSubstr(row));
}

// 200 images: an epoch of twelve steps of 16 and a smaller one.
TEST_F(RehearsalTest, ProfilersAreToldWhenToStartAndStop) {
  const std::vector<std::string> steps{"--batch",           "16", "--device",        "cuda",
                                       "--steps-per-graph", "2",  "--profile-steps", "8:9"};
  EXPECT_EQ(train(steps).exit_code, 0);
  // Both calls are made: either can fail.
  for (const std::string call : {"cudaProfilerStart", "cudaProfilerStop"}) {
    expect_error(train_with_fault(call + " 999 0", steps), 1, call + " failed");
  }
  expect_error(train({"--batch", "16", "--device", "cuda", "--steps-per-graph", "2",
                      "--profile-steps", "5:9"}),
               2,
               "--profile-steps 5:9 begins before the step's graphs are recorded; the first step "
               "allowed is 7");
}

TEST_F(RehearsalTest, BenchMeasuresTheFusedStep) {
  const json rows = bench({"--model", "conv 2x5, relu, maxpool 4, fc 10", "--batch", "4", "--step",
                           "fused", "--work", "train,evaluate,predict"});
  ASSERT_EQ(rows.size(), 3u);
  for (const json& row : rows) EXPECT_EQ(row["step"], "fused");
  EXPECT_EQ(rows[0]["repeats"][0]["clock"], "device");
  EXPECT_EQ(rows[1]["repeats"][0]["clock"], "device");
  EXPECT_EQ(rows[2]["repeats"][0]["clock"], "host");
}

TEST_F(RehearsalTest, InspectListsTheDevicesMemory) {
  const ProgramResult result =
      run_program({"inspect", "--model", kConv[1], "--batch", "16", "--device", "cuda"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("gradients"));
  EXPECT_THAT(result.out, HasSubstr("cuDNN workspace"));
  EXPECT_THAT(result.out, HasSubstr("IMPLICIT_PRECOMP_GEMM"));
}

TEST_F(RehearsalTest, SweepTrainsOnTheGpuAndReports) {
  const ProgramResult result =
      run_program({"sweep", "--seeds", "1,2", "--out", out(), "--common",
                   "--model 'fc 10' --epochs 1 --data " + data(), "plain", "fast: --lr 0.1"});
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out;
  int runs = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(out())) {
    if (entry.path().filename() != "run.json") continue;
    ++runs;
    EXPECT_THAT(read_file(entry.path()), HasSubstr("stand-in for CUDA on the host"));
  }
  EXPECT_EQ(runs, 4);
}

// Stopped within an epoch and resumed: the same bits, with all that a training keeps beside its
// parameters. (ProgramTest's own takes a network that is slow on purpose, too slow for the
// stand-in.)
TEST_F(RehearsalTest, AResumedRunEqualsOneThatNeverStopped) {
  stop_and_resume(
      300, {"--model", "conv 4x5 stride 2, relu, bn, maxpool 2, fc 20, relu, dropout 0.3, fc 10"});
  EXPECT_THAT(run()["resumed"][0]["device"]["description"], HasSubstr("stand-in for CUDA"));
}

// The same, and an evaluation of what is left.
TEST_F(RehearsalTest, AFusedRunIsResumedInItsWay) {
  stop_and_resume(60,
                  {"--model", "conv 2x5, relu, maxpool 4, dropout 0.3, fc 10", "--step", "fused"});
  for (const json& device : {run()["device"], run()["resumed"][0]["device"]}) {
    EXPECT_THAT(device["description"],
                HasSubstr("fused, 2 kernels a step, two blocks a sample (asked for"));
    EXPECT_EQ(device["details"]["step"]["way"], "fused");
    EXPECT_EQ(device["details"]["fused step"]["blocks of a group"], 2);
  }
  const std::vector<std::string> eval{"eval",   "--checkpoint", out() + "/model.safetensors",
                                      "--data", file("more"),   "--device"};
  const ProgramResult fused = run_program(with(eval, {"cuda", "--step", "fused"}));
  EXPECT_EQ(fused.exit_code, 0) << fused.err;
  EXPECT_EQ(fused.out, run_program(with(eval, {"cpu"})).out);
}

// As a user goes: the way through a step is in the log and in run.json, and a resumed run keeps it.
TEST_F(RehearsalTest, ARunKeepsItsWayThroughAStep) {
  const ProgramResult begun = train({"--step", "layers", "--max-steps", "3"});
  ASSERT_EQ(begun.exit_code, 0) << begun.err;
  EXPECT_THAT(begun.out, HasSubstr(", layer by layer (asked for, by --step or by the run"));
  EXPECT_EQ(run()["device"]["details"]["step"]["way"], "layers");

  const std::vector<std::string> resume{"train", "--resume", out()};
  expect_error(run_program(with(resume, {"--step", "fused"})), 2,
               "--step is fused, but the run that --resume continues has layers; leave it out, or "
               "add --force");
  const ProgramResult resumed = run_program(resume);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  const json step = run()["resumed"][0]["device"]["details"]["step"];
  EXPECT_EQ(step["way"], "layers");
  EXPECT_EQ(step["reason"], "asked for, by --step or by the run that is resumed");
}

TEST_F(RehearsalTest, AutoChoosesAWayThroughAStepAndSaysWhy) {
  const std::string reason = "the fused step has not run on a GPU yet";
  ASSERT_EQ(train({}).exit_code, 0);
  EXPECT_EQ(run()["device"]["details"]["step"]["reason"], reason);
  EXPECT_THAT(run_program({"inspect", "--device", "cuda"}).out, HasSubstr(reason));
}

TEST_F(RehearsalTest, AStepThatAModelDoesNotHaveIsExitCode2) {
  const std::vector<std::string> normalised{"--model", "conv 4x5 stride 2, bn, relu, fc 10"};
  const std::string advice = "; take --step layers or auto";
  const ProgramResult begun = train(with(normalised, {"--step", "fused"}));
  expect_error(begun, 2, "--step fused: ");
  expect_error(begun, 2, advice);
  EXPECT_FALSE(std::filesystem::exists(out()));
  expect_error(run_program({"bench", "--model", normalised[1], "--step", "fused"}), 2, advice);

  // --force lets another one than the run's through, to the model's own answer.
  ASSERT_EQ(train(with(normalised, {"--max-steps", "3"})).exit_code, 0);
  expect_error(run_program({"train", "--resume", out(), "--step", "fused", "--force"}), 2, advice);
  expect_error(train({"--step", "sideways"}), 2, "--step: sideways not in {auto,fused,layers}");
}

// Each kind of error, thrown inside the module and caught outside.
TEST_F(RehearsalTest, WhatTheUserAskedForAndTheGpuRefusesIsExitCode2) {
  expect_error(train_with_fault("cudnnSetConvolution2dDescriptor 3000 0", kConv), 2,
               "no layer conv1 at batch 64 on this GPU: cudnnSetConvolution2dDescriptor failed");
  expect_error(train({"--device", "cuda:7"}), 2,
               "device cuda:7 is not available: this machine has 1 GPU, counted from 0");
}

// From the first epoch's state on, whichever call is the one that fails.
TEST_F(RehearsalTest, ARunWhoseGpuIsLostGoesOnFromItsLastWholeEpoch) {
  const std::vector<std::string> three{"--epochs", "3", "--log-steps"};
  ASSERT_EQ(train(three).exit_code, 0);
  const auto parameters = testing::tensor_bytes(out() + "/model.safetensors");
  int resumed = 0;
  for (int calls = 60;; calls += 23) {
    std::filesystem::remove_all(out());
    const ProgramResult lost = train_with_fault("cuda* 719 " + std::to_string(calls), three);
    if (lost.exit_code == 0) break;
    SCOPED_TRACE(std::to_string(calls) + ": " + lost.err);
    expect_error(lost, 1, " failed: ");
    EXPECT_THAT(lost.err, HasSubstr("use --device cpu"));
    EXPECT_THAT(lost.out, Not(HasSubstr("Wrote")));
    if (!std::filesystem::exists(out() + "/resume.safetensors")) continue;
    ++resumed;
    ASSERT_EQ(run_program({"train", "--resume", out(), "--device", "cuda"}).exit_code, 0);
    EXPECT_TRUE(testing::tensor_bytes(out() + "/model.safetensors") == parameters);
  }
  EXPECT_GT(resumed, 0);
}

TEST_F(RehearsalTest, TooMuchForTheGpuIsExitCode1) {
  expect_error(train_with_fault("cudaMalloc 2 0", {}), 1, "out of GPU memory: ");
  EXPECT_FALSE(std::filesystem::exists(out()));
}

// cuDNN offers algorithms that it then refuses; one that works is found before the run begins.
TEST_F(RehearsalTest, AnAlgorithmThatIsRefusedGivesWayToTheNext) {
  ASSERT_EQ(train(kConv).exit_code, 0);
  const std::string before = read_file(out() + "/model.safetensors");
  const ProgramResult result = train_with_fault("cudnnConvolutionForward 3007 0", kConv);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(run()["device"]["details"]["algorithms at batch 64"]["conv1 forward"], "IMPLICIT_GEMM");
  const Plan plan = make_plan(find_model(kConv[1]), 1);
  write_file(file("before.safetensors"), before);
  EXPECT_TRUE(testing::is_near(load_state(out() + "/model.safetensors", plan).parameters,
                               load_state(file("before.safetensors"), plan).parameters, 1e-4));
}

TEST_F(RehearsalTest, AutoThatFallsBackBesideADriverSaysWhy) {
  const std::string program = program_beside("not a library");
  const ProgramResult result = train_with(program, {});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Warning: an NVIDIA driver is here, but this runs on the CPU: "
                                    "the CUDA engine does not load ("));
  EXPECT_THAT(run()["device"]["fallback"], HasSubstr("does not load"));
  EXPECT_THAT(run()["device"]["description"], HasSubstr("CPU"));
  expect_error(train_with(program, {"--device", "cuda"}), 2, "the CUDA engine does not load (");
}

TEST_F(RehearsalTest, AProgramWithoutAModuleWasBuiltWithoutCuda) {
  const std::string program = program_beside("");
  expect_error(train_with(program, {"--device", "cuda"}), 2,
               "this build has no CUDA engine; install the CUDA toolkit");
  EXPECT_THAT(train_with(program, {}).out, HasSubstr("this build has no CUDA engine"));
}

}  // namespace
}  // namespace digitron
