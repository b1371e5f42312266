#include "host/machine/usage.h"

#include <gmock/gmock.h>

#include "tests/data_testing.h"

namespace digitron {
namespace {

using testing::TemporaryDirectory;
using testing::write_file;

TEST(UsageTest, ReadsTheCountersOfTheCpusAskedFor) {
  const TemporaryDirectory root;
  write_file(root / "proc/stat",
             "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 9 9 9 9 9 9 9 9 9 9\n"
             "cpu1 100 10 5 500 7 20 1 30 4 4\ncpu2 broken\ncpu12 9 9 9 9 9 9 9 9\nintr 1\n");
  write_file(root / "proc/loadavg", "0.25 0.10 0.05 1/100 12345\n");
  write_file(root / "proc/self/task/1/schedstat", "5 500000000 7\n");
  write_file(root / "proc/self/task/2/schedstat", "5 1000000000 7\n");
  write_file(root / "proc/self/task/3/schedstat", "");
  write_file(root / "proc/self/cgroup", "0::/inner\n");
  for (const char* group : {"sys/fs/cgroup/", "sys/fs/cgroup/inner/"}) {
    write_file(root / (std::string(group) + "cgroup.controllers"), "cpu\n");
    write_file(root / (std::string(group) + "cpu.stat"), "usage_usec 5\nthrottled_usec 250000\n");
  }
  const std::string frequency = "sys/devices/system/cpu/cpu1/cpufreq/";
  write_file(root / (frequency + "scaling_governor"), "performance\n");
  write_file(root / (frequency + "scaling_cur_freq"), "2100000\n");

  const Usage usage = read_usage(root.path(), {1, 2});
  EXPECT_DOUBLE_EQ(usage.cpus->busy, 136 * cpu_tick()) << "all but idle, waiting for I/O and steal";
  EXPECT_DOUBLE_EQ(usage.cpus->steal, 30 * cpu_tick());
  EXPECT_DOUBLE_EQ(*usage.waiting, 1.5);
  EXPECT_DOUBLE_EQ(*usage.throttled, 0.5);
  EXPECT_EQ(usage.load, 0.25);
  EXPECT_EQ(usage.governor, "performance");
  EXPECT_EQ(usage.mhz, 2100);
  EXPECT_GT(usage.wall_seconds, 0);
  EXPECT_GT(usage.cpu_seconds, 0);
}

TEST(UsageTest, WhatIsNotCountedIsAbsent) {
  const TemporaryDirectory root;
  write_file(root / "proc/stat", "cpu 1 2 3\ncpu0 1 2 3\n");
  write_file(root / "proc/loadavg", "busy\n");
  const Usage usage = read_usage(root.path(), {0});
  EXPECT_FALSE(usage.cpus || usage.load || usage.waiting || usage.throttled);
  EXPECT_FALSE(usage.governor || usage.mhz);
}

// By the kernel's own counters.
TEST(UsageTest, GrowsHere) {
  const Usage before = read_usage("/", {0});
  Usage after = before;
  volatile double sum = 0;
  for (int tries = 0; tries < 1000 && !(after.cpu_seconds > before.cpu_seconds); ++tries) {
    for (int i = 0; i < 1000000; ++i) sum = sum + i;
    after = read_usage("/", {0});
  }
  EXPECT_GT(after.cpu_seconds, before.cpu_seconds);
  EXPECT_GT(after.wall_seconds, before.wall_seconds);
}

}  // namespace
}  // namespace digitron
