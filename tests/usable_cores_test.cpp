#include "host/cpu/usable_cores.h"

#include <gmock/gmock.h>

#include <map>

namespace digitron {
namespace {

using Files = std::map<std::string, std::string>;

// What stands in for a machine's files.
std::optional<CpuQuota> quota_of(const Files& files) {
  return cpu_quota([&](const std::string& path) {
    const auto found = files.find(path);
    return found == files.end() ? "" : found->second;
  });
}

UsableCores cores_of(int machine, int allowed, const Files& files = {}) {
  return {machine, allowed, quota_of(files)};
}

const std::string kGroup = "/proc/self/cgroup";
const std::string kMount = "/sys/fs/cgroup";

TEST(UsableCoresTest, WithoutAQuotaTheAffinityCounts) {
  EXPECT_EQ(cores_of(16, 16).count(), 16);
  EXPECT_EQ(cores_of(16, 16).text(), "all 16 cores");
  EXPECT_EQ(cores_of(1, 1).text(), "the only core");
  EXPECT_EQ(cores_of(16, 2).count(), 2);
  EXPECT_EQ(cores_of(16, 2).text(), "2 of 16 cores by the process's affinity (taskset, cpuset)");
}

TEST(UsableCoresTest, AQuotaOfVersionTwo) {
  const Files files{{kGroup, "0::/pod/run\n"}, {kMount + "/pod/run/cpu.max", "200000 100000\n"}};
  EXPECT_EQ(cores_of(16, 16, files).count(), 2);
  EXPECT_EQ(cores_of(16, 16, files).text(),
            "2 of 16 cores by the cgroup's quota (cpu.max 200000 100000)");
  EXPECT_EQ(cores_of(16, 1, files).text(),
            "1 of 16 cores by the process's affinity (taskset, cpuset)");
}

TEST(UsableCoresTest, APartOfACoreCountsAsOne) {
  for (const auto& [quota, count] : std::map<std::string, int>{
           {"150000 100000", 2}, {"1000 100000", 1}, {"100001 100000", 2}, {"100000 100000", 1}}) {
    const Files files{{kGroup, "0::/\n"}, {kMount + "/cpu.max", quota}};
    EXPECT_EQ(cores_of(16, 16, files).count(), count) << quota;
  }
  const Files part{{kGroup, "0::/\n"}, {kMount + "/cpu.max", "150000 100000\n"}};
  EXPECT_EQ(cores_of(2, 2, part).text(),
            "2 of 2 cores by the cgroup's quota (cpu.max 150000 100000)");
}

TEST(UsableCoresTest, TheGroupsAroundCountToo) {
  const Files files{{kGroup, "0::/pod/run\n"},
                    {kMount + "/pod/run/cpu.max", "max 100000\n"},
                    {kMount + "/pod/cpu.max", "300000 100000\n"},
                    {kMount + "/cpu.max", "400000 100000\n"}};
  EXPECT_EQ(quota_of(files)->cores, 3);
  // As a container sees it that is told its host's name of the group.
  const Files inside{{kGroup, "0::/host/name\n"}, {kMount + "/cpu.max", "400000 100000\n"}};
  EXPECT_EQ(quota_of(inside)->cores, 4);
}

TEST(UsableCoresTest, AQuotaOfVersionOne) {
  const std::string folder = kMount + "/cpu,cpuacct/pod";
  const Files files{{kGroup, "4:memory:/pod\n3:cpu,cpuacct:/pod\n2:cpuset:/\n0::/\n"},
                    {folder + "/cpu.cfs_quota_us", "50000\n"},
                    {folder + "/cpu.cfs_period_us", "20000\n"},
                    {kMount + "/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"},
                    {kMount + "/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}};
  EXPECT_EQ(quota_of(files)->cores, 2.5);
  EXPECT_EQ(quota_of(files)->text, "cpu.cfs_quota_us 50000, cpu.cfs_period_us 20000");
}

TEST(UsableCoresTest, WhatMakesNoSenseIsNoQuota) {
  for (const char* quota : {"", "max", "max 100000", "-1 100000", "0 100000", "100000", "100000 0",
                            "100000 -5", "x y", "nan nan", "\n\n"}) {
    const Files files{{kGroup, "0::/pod\n"}, {kMount + "/pod/cpu.max", quota}};
    EXPECT_EQ(quota_of(files), std::nullopt) << quota;
  }
  for (const char* group : {"", "0", "0:", "0::", "::", ":::\n", "0::pod", "1:cpu"}) {
    EXPECT_EQ(quota_of({{kGroup, group}}), std::nullopt) << group;
  }
}

TEST(UsableCoresTest, ThisMachineHasSome) {
  const UsableCores cores = usable_cores();
  EXPECT_GE(cores.count(), 1);
  EXPECT_LE(cores.count(), cores.allowed);
  EXPECT_LE(cores.allowed, cores.machine);
  EXPECT_NE(cores.text(), "");
}

}  // namespace
}  // namespace digitron
