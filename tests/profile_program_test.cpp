// digitron profile, with programs in place of NVIDIA's that are found first on PATH.
#include <sys/stat.h>

#include <set>

#include "host/bench/nsight.h"
#include "host/files/json.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using testing::ProgramResult;
using testing::read_file;
using testing::run_shell;
using testing::write_file;

class ProfileProgramTest : public testing::ProgramTest {
 protected:
  // `script` as a program of this name in a folder of its own, which run() puts on PATH.
  void fake(const std::string& name, const std::string& script) const {
    std::filesystem::create_directories(file("bin"));
    const std::string path = file("bin") + "/" + name;
    write_file(path, "#!/bin/sh\n" + script);
    ::chmod(path.c_str(), 0700);
  }

  // The options that every one of these trainings has.
  std::vector<std::string> arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> all{"profile", "--model", "fc 10", "--data", data(),
                                 "--batch", "20",      "--out", out()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // Other tools than the fakes and the shell's own are not found.
  ProgramResult run(const std::vector<std::string>& more) const {
    return run_shell("PATH='" + file("bin") + ":/bin:/usr/bin' exec \"$0\" \"$@\"",
                     arguments(more));
  }

  // What a fake was given, a word a line, without what stands before the program's own words.
  static std::vector<std::string> words(const std::string& text) {
    std::vector<std::string> words;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) words.push_back(line);
    return words;
  }
};

// Notes what it is given, and does as nsys: of a profile it runs the program and leaves a report;
// of stats it prints a table.
constexpr const char* kFakeNsys = R"sh(
printf '%s\n' "$@" >>"$(dirname "$0")/nsys.log"
report=
case $1 in
  profile)
    shift
    for word in "$@"; do
      case $word in
        --output=*) report=${word#--output=} ;;
        --*) ;;
        *) break ;;
      esac
      shift
    done
    "$@" || exit
    echo captured >"$report.nsys-rep" ;;
  stats)
    case $5 in
      cuda_gpu_kern_sum)
        echo 'Total Time (ns),Instances,Med (ns),Name'
        echo '3000,2,1500.0,"gather(float *)"' ;;
      nvtx_gpu_proj_sum)
        echo 'Range,Total Proj Time (ns),Range Instances,Proj Med (ns)'
        echo 'digitron:step,5000,2,2500.0' ;;
      *) echo 'SKIPPED: no such data' ;;
    esac ;;
esac
)sh";

TEST_F(ProfileProgramTest, NsysIsGivenItsOptionsAndTheTraining) {
  fake("nsys", kFakeNsys);
  const ProgramResult result = run({"--with", "nsys", "--steps", "3:4", "--lr", "0.05"});
  ASSERT_EQ(result.exit_code, 0) << result.err << result.out;
  const std::vector<std::string> log = words(read_file(file("bin") + "/nsys.log"));
  ASSERT_GE(log.size(), 27u);
  EXPECT_THAT(std::vector(log.begin(), log.begin() + 9),
              ElementsAre("profile", "--output=" + out() + "/digitron", "--force-overwrite=true",
                          "--trace=cuda,nvtx,cublas,cudnn", "--cuda-graph-trace=node",
                          "--capture-range=cudaProfilerApi", "--capture-range-end=stop",
                          "--sample=none", "--cpuctxsw=none"));
  EXPECT_THAT(
      std::vector(log.begin() + 10, log.begin() + 25),
      ElementsAre("train", "--model", "fc 10", "--data", data(), "--batch", "20", "--lr", "0.05",
                  "--out", out() + "/run", "--profile-steps", "3:4", "--max-steps", "4"));
  EXPECT_THAT(result.out, HasSubstr("Final test accuracy: "));  // of the training itself
  EXPECT_THAT(result.out, HasSubstr("kernel  count  median us  total us    share\n"
                                    "gather      2       1.50      3.00  100.0 %\n"));
  EXPECT_THAT(result.out, HasSubstr("range  count  median us  total us\n"
                                    "step       2       2.50      5.00\n"));
  EXPECT_THAT(result.out, HasSubstr("Warning: no table from nsys stats"));
  EXPECT_THAT(result.out, HasSubstr("Wrote " + out() + "/digitron.nsys-rep"));
}

TEST_F(ProfileProgramTest, NcuIsGivenItsOptionsAndMore) {
  fake("ncu", R"sh(
printf '%s\n' "$@" >>"$(dirname "$0")/ncu.log"
case $1 in
  --import)
    echo '"ID","Kernel Name","gpu__time_duration.sum","sm__throughput.avg.pct_of_peak_sustained_elapsed","gpu__compute_memory_throughput.avg.pct_of_peak_sustained_elapsed","sm__warps_active.avg.pct_of_peak_sustained_active","launch__registers_per_thread"'
    echo '"","","ns","%","%","%","register/thread"'
    echo '"0","gather(float *)","1,500","5","10","50","32"' ;;
  *) echo captured >"$2.ncu-rep" ;;
esac
)sh");
  const ProgramResult result =
      run({"--with", "ncu", "--steps", "3:3", "--tool-options", "--set full", "--no-graph"});
  ASSERT_EQ(result.exit_code, 0) << result.err << result.out;
  const std::vector<std::string> log = words(read_file(file("bin") + "/ncu.log"));
  ASSERT_GE(log.size(), 13u);
  EXPECT_THAT(
      std::vector(log.begin(), log.begin() + 12),
      ElementsAre("--export", out() + "/digitron", "--force-overwrite", "--profile-from-start",
                  "off", "--graph-profiling", "node", "--nvtx", "--set", "basic", "--set", "full"));
  EXPECT_THAT(log, ::testing::Contains("--no-graph"));
  EXPECT_THAT(result.out,
              HasSubstr("kernel  count  median us  compute %  memory %  occupancy %  registers\n"
                        "gather      1       1.50        5.0      10.0         50.0         32\n"));
}

TEST_F(ProfileProgramTest, ADryRunPrintsALineForAShell) {
  const ProgramResult result = run({"--with", "nsys", "--steps", "3:4", "--dry-run"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("/digitron train --model 'fc 10' --data "));
  EXPECT_THAT(result.out, ::testing::EndsWith(" --profile-steps 3:4 --max-steps 4\n"));
  EXPECT_FALSE(std::filesystem::exists(out()));
  // The shell takes it apart again into the same words.
  fake("nsys", kFakeNsys);
  EXPECT_EQ(
      run_shell("PATH='" + file("bin") + ":/bin:/usr/bin'; eval \"$1\"", {result.out}).exit_code,
      0);
  EXPECT_THAT(words(read_file(file("bin") + "/nsys.log")), ::testing::Contains("fc 10"));
}

TEST_F(ProfileProgramTest, ATraceIsOfTheStepsByLayerAndDirection) {
  const ProgramResult result =
      run({"--with", "trace", "--steps", "13:15", "--device", "cpu", "--threads", "1"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto trace = nlohmann::json::parse(read_file(out() + "/trace.json"));
  std::set<std::string> lanes, names;
  std::set<int> steps;
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("ph") == "M") {
      lanes.insert(event.at("args").at("name"));
    } else {
      EXPECT_EQ(event.at("ph"), "X");
      EXPECT_TRUE(event.at("dur").get<double>() >= 0);
      names.insert(event.at("name"));
      steps.insert(event.at("args").at("step").get<int>());
    }
  }
  EXPECT_THAT(lanes, ElementsAre("thread 0"));
  EXPECT_THAT(steps, ElementsAre(13, 14, 15));  // of the run: an epoch has ten
  EXPECT_THAT(names, IsSupersetOf({"step", "gather", "fc1 forward", "loss", "fc1 backward"}));
}

TEST_F(ProfileProgramTest, ATraceTakesWholeBatchesOfOneEpoch) {
  const auto trace = [&](const std::string& steps) {
    return run({"--with", "trace", "--steps", steps, "--device", "cpu", "--epochs", "2"});
  };
  expect_error(
      trace("9:11"), 2,
      "--steps 9:11 is not of one epoch's whole batches; an epoch has 10 of them, the run 2 "
      "epochs");
  expect_error(trace("21:22"), 2, "the run 2 epochs");
  expect_error(trace("1:9223372036854775807"), 2, "the run 2 epochs");
}

TEST_F(ProfileProgramTest, WhatIsMissingOrMakesNoSenseIsSaid) {
  std::filesystem::create_directories(file("bin"));
  const auto without_path = [&](const std::string& tool) {
    return run_shell("PATH='" + file("bin") + "' exec \"$0\" \"$@\"",
                     arguments({"--with", tool, "--steps", "3:4"}));
  };
  expect_error(without_path("nsys"), 2, "nsys is not on PATH; install NVIDIA Nsight Systems");
  expect_error(without_path("ncu"), 2, "ncu is not on PATH; install NVIDIA Nsight Compute");
  expect_error(run({"--with", "nsys", "--device", "cpu"}), 2, "--device is cpu; take --with trace");
  expect_error(run({"--with", "nsys", "--steps", "4:3"}), 2, "--steps is '4:3'; give the first");
  expect_error(run({"--with", "ncu", "--lr", "-1"}), 2, "--lr is -1");
  expect_error(run({"--with", "gprof"}), 2, "--with");
  expect_error(run({"--with", "trace", "--dry-run"}), 2, "--with trace runs no tool");
}

TEST_F(ProfileProgramTest, AToolThatFailsIsAnErrorOfTheMachine) {
  fake("ncu", "echo '==ERROR== ERR_NVGPUCTRPERM - The user does not have permission'\nexit 1\n");
  expect_error(run({"--with", "ncu", "--steps", "3:4"}), 1,
               "(ERR_NVGPUCTRPERM); run as root, or put 'options nvidia "
               "NVreg_RestrictProfilingToAdminUsers=0'");
  fake("ncu", "exit 9\n");
  expect_error(run({"--with", "ncu", "--steps", "3:4"}), 1, "ncu ended with exit code 9");
  fake("ncu", "echo '==WARNING== No kernels were profiled.'\n");
  expect_error(run({"--with", "ncu", "--steps", "3:4"}), 1, "ncu has captured nothing");
}

TEST_F(ProfileProgramTest, OnTheCpuATrainingSaysThatNothingIsCaptured) {
  const std::vector<std::string> common{"--batch", "20", "--device", "cpu", "--profile-steps"};
  const auto train_with = [&](const std::string& steps) {
    std::vector<std::string> more = common;
    more.push_back(steps);
    return train(more);
  };
  expect_error(train_with("20:30"), 2, "--profile-steps 20:30 goes beyond the run, which has 10");
  EXPECT_FALSE(std::filesystem::exists(out()));
  const ProgramResult result = train_with("2:3");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("the engine is not on a GPU: nothing is captured"));
}

TEST(NsightTest, RightsThatAreMissingAreNamed) {
  EXPECT_EQ(counter_problem("all is well"), "");
  EXPECT_EQ(sampling_problem("all is well", "4"), "");
  EXPECT_EQ(sampling_problem("WARNING: CPU IP/backtrace sampling not supported, disabling.\n", "4"),
            "the CPU was not sampled (kernel.perf_event_paranoid is 4); run sudo sysctl "
            "kernel.perf_event_paranoid=2");
}

}  // namespace
}  // namespace digitron
