#include "host/machine/quiet.h"

#include <gmock/gmock.h>

#include "host/files/json.h"
#include "tests/data_testing.h"
#include "tests/fake_nvml.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using testing::FakeNvmlTest;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kFakeGpu;
using ::testing::StartsWith;
using testing::TemporaryDirectory;
using testing::write_file;

// A second of two threads on two CPUs, to be disturbed.
Usage quiet_second() {
  Usage usage;
  usage.wall_seconds = 1;
  usage.cpu_seconds = 1.98;
  usage.involuntary_switches = 3;
  usage.waiting = 0.01;
  usage.throttled = 0;
  usage.cpus = CpuTimes{.busy = 1.99, .steal = 0};
  usage.load = 1.5;
  return usage;
}

Usage nothing_yet() {
  Usage usage;
  usage.waiting = 0;
  usage.throttled = 0;
  usage.cpus = CpuTimes{};
  return usage;
}

Quiet judged(const Usage& after, int threads = 2) {
  return judge(nothing_yet(), after, threads, 2);
}

TEST(JudgeTest, AQuietSecondHasNoWarning) {
  const Quiet quiet = judged(quiet_second());
  EXPECT_THAT(quiet.warnings, IsEmpty());
  EXPECT_DOUBLE_EQ(*quiet.cpu_share, 0.99);
  EXPECT_DOUBLE_EQ(*quiet.waiting_seconds, 0.01);
  EXPECT_EQ(quiet.involuntary_switches, 3);
  EXPECT_EQ(quiet.load, 1.5);
  EXPECT_EQ(quiet.steal_share, 0);
  EXPECT_EQ(quiet.others_share, 0) << "a tick a CPU is the counting's";
}

TEST(JudgeTest, AnotherProcessTookTheCpus) {
  Usage after = quiet_second();
  after.cpu_seconds = 1.24;
  after.involuntary_switches = 240;
  after.waiting = 0.75;
  const Quiet quiet = judged(after);
  EXPECT_DOUBLE_EQ(*quiet.cpu_share, 0.62);
  EXPECT_THAT(*quiet.others_share, DoubleNear(0.38, 2 * cpu_tick()));
  EXPECT_THAT(quiet.warnings,
              ElementsAre(AllOf(
                  StartsWith("the threads had 62 % of the CPU time they asked for, and were taken "
                             "off a CPU 240 times; other processes took 3"),
                  EndsWith(" % of the usable CPUs' time: stop them, or wait until they end"))));
}

TEST(JudgeTest, ThreadsThatSleepHaveLostNothing) {
  Usage after = quiet_second();
  after.cpu_seconds = 1.5;
  after.cpus->busy = 1.55;
  EXPECT_THAT(judged(after).warnings, IsEmpty());
}

TEST(JudgeTest, ThreadsThatWaitedTellOfAGpusHostToo) {
  Usage after = quiet_second();
  after.cpu_seconds = 0.2;
  after.cpus->busy = 2;
  after.waiting = 0.25;
  const Quiet quiet = judged(after, 0);
  EXPECT_FALSE(quiet.cpu_share) << "its thread may sleep";
  EXPECT_THAT(quiet.warnings, ElementsAre(HasSubstr("had 75 % of the CPU time")));
  after.waiting = 0.01;
  after.cpus->busy = 0.21;
  EXPECT_THAT(judged(after, 0).warnings, IsEmpty());
}

TEST(JudgeTest, MoreThreadsThanCpus) {
  const Quiet quiet = judged(quiet_second(), 4);
  EXPECT_THAT(quiet.warnings, ElementsAre(HasSubstr("4 threads shared 2 CPUs: take --threads 2")));
}

TEST(JudgeTest, AQuota) {
  Usage after = quiet_second();
  after.throttled = 0.3;
  EXPECT_THAT(judged(after).warnings, ElementsAre(StartsWith("the control group's quota stopped")));
  after.cpu_seconds = 1.4;
  after.cpus->busy = 1.4;
  EXPECT_THAT(judged(after).warnings,
              ElementsAre(AllOf(StartsWith("the threads had 70 % "),
                                HasSubstr("quota stopped them for 0.30 s: raise its cpu.max"))));
}

TEST(JudgeTest, OthersOnCpusThatWereLeft) {
  Usage after = quiet_second();
  after.cpu_seconds = 0.99;
  after.waiting = 0;
  const Quiet quiet = judged(after, 1);
  EXPECT_THAT(quiet.warnings, ElementsAre(AllOf(StartsWith("other processes took "),
                                                HasSubstr("the threads lost no time, but"))));
}

TEST(JudgeTest, ALossThatNothingExplains) {
  Usage after = quiet_second();
  after.cpu_seconds = 1;
  after.cpus.reset();
  after.waiting.reset();
  after.throttled.reset();
  const Quiet quiet = judged(after);
  EXPECT_FALSE(quiet.others_share || quiet.steal_share || quiet.waiting_seconds);
  EXPECT_THAT(quiet.warnings, ElementsAre(AllOf(StartsWith("the threads had 50 % "),
                                                HasSubstr("look for what else runs here"))));
}

TEST(JudgeTest, AnotherVirtualMachine) {
  Usage after = quiet_second();
  after.cpus->steal = 0.1;
  EXPECT_THAT(judged(after).warnings,
              ElementsAre(AllOf(StartsWith("the hypervisor gave "), HasSubstr(" % of the CPUs'"))));
  after.cpus->steal = cpu_tick();
  EXPECT_THAT(judged(after).warnings, IsEmpty());
}

TEST(JudgeTest, AClockThatMoved) {
  Usage before = nothing_yet();
  Usage after = quiet_second();
  before.mhz = 1200;
  after.mhz = 3600;
  after.governor = "powersave";
  EXPECT_THAT(judge(before, after, 2, 2).warnings,
              ElementsAre(StartsWith("the CPU's clock was 1200 MHz at the start and 3600 MHz at "
                                     "the end (governor powersave): ")));
  before.mhz = 3500;
  EXPECT_THAT(judge(before, after, 2, 2).warnings, IsEmpty());
}

TEST(JudgeTest, NoTimeAtAll) {
  const Quiet quiet = judge(nothing_yet(), nothing_yet(), 2, 2);
  EXPECT_FALSE(quiet.cpu_share);
  EXPECT_THAT(quiet.warnings, IsEmpty());
  EXPECT_NO_THROW(judge({}, {}, 0, 0).json().dump());
}

GpuReading gpu_reading(unsigned sm_mhz, double joules, uint64_t throttle) {
  GpuReading reading;
  reading.sm_mhz = sm_mhz;
  reading.joules = joules;
  reading.throttle = throttle;
  return reading;
}

TEST(JudgeGpuTest, EnergyNeedsFiveSeconds) {
  Quiet quiet{.wall_seconds = 4.9};
  judge_gpu(quiet, gpu_reading(1980, 100, 1), gpu_reading(1980, 600, 1), 0);
  EXPECT_FALSE(quiet.gpu->joules);
  EXPECT_EQ(quiet.json()["gpu"]["joules_reason"],
            "measured for 4.9 s, and energy needs 5 s or more");
  quiet.wall_seconds = 5;
  judge_gpu(quiet, gpu_reading(1980, 100, 1), gpu_reading(1980, 600, 1), 0);
  EXPECT_EQ(quiet.gpu->joules, 500);
  EXPECT_FALSE(quiet.json()["gpu"].contains("joules_reason"));
  judge_gpu(quiet, {}, {}, 0);
  EXPECT_THAT(quiet.gpu->joules_reason, HasSubstr("NVML does not tell the energy"));
  EXPECT_THAT(quiet.warnings, IsEmpty()) << "an idle GPU is no reason for one";
}

TEST(JudgeGpuTest, HeldBackAndOnItsWay) {
  Quiet quiet{.wall_seconds = 1};
  judge_gpu(quiet, gpu_reading(1980, 0, 1), gpu_reading(1200, 0, 0x4), 0x40);
  EXPECT_THAT(quiet.warnings,
              ElementsAre(StartsWith("the GPU was held back (software power cap, hardware thermal "
                                     "slowdown): "),
                          StartsWith("the GPU's SM clock was 1980 MHz at the start and 1200 MHz")));
}

// A system whose counters move as a test says.
class QuietWatchTest : public FakeNvmlTest {
 protected:
  QuietWatchTest() {
    cpus(0, 0, 0);
    waiting(0);
    write_file(root_ / "proc/loadavg", "0.25 0.10 0.05 1/100 12345\n");
    write_file(root_ / "proc/self/cgroup", "0::/\n");
    write_file(root_ / "sys/fs/cgroup/cgroup.controllers", "cpu\n");
    throttled(0);
    const std::string frequency = "sys/devices/system/cpu/cpu1/cpufreq/";
    write_file(root_ / (frequency + "scaling_governor"), "performance\n");
    write_file(root_ / (frequency + "scaling_cur_freq"), "2100000\n");
  }

  // In ticks; CPU 0 is not ours.
  void cpus(int user, int irq, int steal) {
    const auto line = [](int u, int i, int s) {
      return std::to_string(u) + " 0 0 500 0 " + std::to_string(i) + " 0 " + std::to_string(s) +
             " 0 0\n";
    };
    write_file(root_ / "proc/stat", "cpu  " + line(9, 9, 9) + "cpu0 " + line(9 * user, 9, 9) +
                                        "cpu1 " + line(user, irq, steal) + "cpu2 broken\nintr 1\n");
  }
  void waiting(int64_t nanoseconds) {
    write_file(root_ / "proc/self/task/1/schedstat", "5 " + std::to_string(nanoseconds) + " 7\n");
    write_file(root_ / "proc/self/task/2/schedstat", "5 1000000000 7\n");
    write_file(root_ / "proc/self/task/3/schedstat", "");
  }
  void throttled(int microseconds) {
    write_file(root_ / "sys/fs/cgroup/cpu.stat",
               "usage_usec 5\nthrottled_usec " + std::to_string(microseconds) + "\n");
  }

  QuietSources sources(const std::string& gpu = "") const {
    return {.gpu_uuid = gpu, .root = root_.path(), .nvml = library(), .cpus = {1, 2}};
  }

  TemporaryDirectory root_;
};

TEST_F(QuietWatchTest, ASystemThatTellsNothing) {
  const TemporaryDirectory nothing;
  QuietWatch watch({.root = nothing.path(), .cpus = {}});
  EXPECT_FALSE(watch.disturbed());
  const ordered_json written = watch.finish(0).json();
  for (const char* key : {"cpu_share", "waiting_seconds", "load", "steal_share", "others_share",
                          "throttled_seconds", "governor", "mhz"}) {
    EXPECT_TRUE(written.at(key).is_null()) << key;
  }
  EXPECT_FALSE(written.contains("gpu"));
  EXPECT_TRUE(written.at("warnings").empty());
}

TEST_F(QuietWatchTest, ASampleWithoutItsCpus) {
  QuietWatch watch(sources());
  EXPECT_FALSE(watch.disturbed());
  waiting(3600'000'000'000);
  EXPECT_TRUE(watch.disturbed()) << "an hour is more than 2 % of what passed";
  EXPECT_FALSE(watch.disturbed()) << "that was before the last call";
  waiting(0);
  EXPECT_FALSE(watch.disturbed()) << "a thread has ended";
  throttled(1);
  EXPECT_TRUE(watch.disturbed());
  waiting(3600'000'000'000);
  EXPECT_THAT(watch.finish(2).warnings, ElementsAre(HasSubstr("the control group's quota")));
}

TEST_F(QuietWatchTest, TheGpuIsHeldBackForAWhile) {
  QuietWatch watch(sources(kFakeGpu));
  EXPECT_FALSE(watch.disturbed()) << "it is idle";
  set("FAKE_NVML_THROTTLE", "0x20");
  EXPECT_TRUE(watch.disturbed());
  set("FAKE_NVML_THROTTLE", "0");
  EXPECT_FALSE(watch.disturbed());
  set("FAKE_NVML_SM_MHZ", "1000");
  const Quiet quiet = watch.finish(0);
  EXPECT_THAT(quiet.warnings,
              ElementsAre(HasSubstr("the GPU was held back (software thermal slowdown)"),
                          HasSubstr("1980 MHz at the start and 1000 MHz at the end")));
  const ordered_json gpu = quiet.json()["gpu"];
  EXPECT_EQ(gpu["throttle"], ordered_json({"idle", "software thermal slowdown"}));
  EXPECT_EQ(gpu["before"], ordered_json::parse(R"({"sm_mhz": 1980, "memory_mhz": 2619,
      "throttle": ["idle"], "celsius": 40, "watts": 123.456, "reasons": []})"));
  EXPECT_EQ(gpu["after"]["sm_mhz"], 1000);
  EXPECT_TRUE(gpu["joules"].is_null());
}

TEST_F(QuietWatchTest, AGpuThatCannotBeWatchedSaysWhy) {
  QuietSources other = sources("GPU-other");
  EXPECT_THAT(QuietWatch(other).finish(0).gpu_reason, StartsWith("NVML knows no GPU-other: "));
  other.nvml = "libno-such-nvml.so.1";
  QuietWatch watch(other);
  EXPECT_FALSE(watch.disturbed());
  const ordered_json written = watch.finish(0).json();
  EXPECT_TRUE(written.at("gpu").is_null());
  EXPECT_THAT(written.at("gpu_reason").get<std::string>(), StartsWith("NVML does not load ("));
}

// By the kernel's own counters.
TEST(QuietWatchHereTest, AThreadThatComputesHasCpuTime) {
  QuietWatch watch;
  volatile double sum = 0;
  double share = 0;
  for (int tries = 0; tries < 1000 && !(share > 0); ++tries) {
    for (int i = 0; i < 1000000; ++i) sum = sum + i;
    share = watch.finish(1).cpu_share.value_or(0);
  }
  EXPECT_GT(share, 0);
}

}  // namespace
}  // namespace digitron
