#include "host/machine/machine.h"

#include <gmock/gmock.h>

#include "host/files/json.h"
#include "host/machine/build.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;
using testing::TemporaryDirectory;
using testing::write_file;

std::vector<std::string> keys_of(const ordered_json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

// A machine of two sockets with cores of two threads each, of which three may be used.
class MachineTest : public ::testing::Test {
 protected:
  MachineTest() {
    write("proc/cpuinfo",
          "processor\t: 0\nmodel name\t: Some CPU: 9655\nflags\t\t: fpu hypervisor\n");
    write("proc/meminfo", "MemTotal:       16384 kB\nMemFree: 1 kB\n");
    write("proc/self/cgroup", "1:cpu:/old\n0::/outer/inner\n");
    write("etc/os-release", "ID=x\nPRETTY_NAME=\"Some Linux 1 (name)\"\n");
    write("sys/class/dmi/id/sys_vendor", "Maker\n");
    write("sys/class/dmi/id/product_name", "Product\n");
    for (const int cpu : {0, 1, 5}) {
      const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(cpu);
      write(folder + "/topology/physical_package_id", std::to_string(cpu / 4));
      write(folder + "/topology/thread_siblings_list", std::to_string(cpu / 2));
      const char* caches[][3] = {
          {"1", "Data", "48K"}, {"1", "Instruction", "32K"}, {"2", "Unified", "2048K"}};
      for (int i = 0; i < 3; ++i) {
        const std::string cache = folder + "/cache/index" + std::to_string(i);
        write(cache + "/level", caches[i][0]);
        write(cache + "/type", caches[i][1]);
        write(cache + "/size", caches[i][2]);
      }
    }
  }

  void write(const std::string& name, const std::string& text) { write_file(root_ / name, text); }
  ordered_json host() const { return host_json(root_.path(), {0, 1, 5}); }

  TemporaryDirectory root_;
};

TEST_F(MachineTest, TellsOfTheMachineAsTheKernelDoes) {
  const ordered_json host = this->host();
  EXPECT_THAT(keys_of(host), ElementsAre("cpu", "sockets", "cores", "threads", "cpu_quota",
                                         "caches", "memory_bytes", "os", "kernel", "hypervisor"));
  EXPECT_EQ(host["cpu"], "Some CPU: 9655");
  EXPECT_EQ(host["sockets"], 2);
  EXPECT_EQ(host["cores"], 2);
  EXPECT_EQ(host["threads"], 3);
  EXPECT_EQ(
      host["caches"],
      ordered_json({{"l1d_bytes", 48 * 1024}, {"l2_bytes", 2048 * 1024}, {"l3_bytes", nullptr}}));
  EXPECT_EQ(host["memory_bytes"], 16 << 20);
  EXPECT_EQ(host["os"], "Some Linux 1 (name)");
  EXPECT_EQ(host["hypervisor"], "Maker Product");
}

TEST_F(MachineTest, TheNarrowestQuotaCounts) {
  EXPECT_TRUE(host()["cpu_quota"].is_null()) << "no cgroup v2";
  for (const char* group : {"", "/outer", "/outer/inner"}) {
    write("sys/fs/cgroup" + std::string(group) + "/cgroup.controllers", "cpu\n");
  }
  EXPECT_TRUE(host()["cpu_quota"].is_null()) << "the CPU is not shared out";
  write("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  EXPECT_TRUE(host()["cpu_quota"].is_null());
  write("sys/fs/cgroup/outer/cpu.max", "150000 100000\n");
  EXPECT_EQ(host()["cpu_quota"], 1.5);
  write("sys/fs/cgroup/outer/inner/cpu.max", "50000 100000\n");
  EXPECT_EQ(host()["cpu_quota"], 0.5);
  write("sys/fs/cgroup/outer/inner/cpu.max", "50000 0\n");
  EXPECT_EQ(host()["cpu_quota"], 1.5) << "a period of nothing is none";
}

TEST_F(MachineTest, AHypervisorMayHaveNoName) {
  std::filesystem::remove_all(root_ / "sys/class");
  EXPECT_EQ(host()["hypervisor"], "unknown");
  write("proc/cpuinfo", "flags\t\t: fpu hypervisor_like\n");
  EXPECT_TRUE(host()["hypervisor"].is_null());
}

TEST_F(MachineTest, ASystemThatTellsNothing) {
  const TemporaryDirectory nothing;
  const ordered_json host = host_json(nothing.path(), {0});
  EXPECT_EQ(keys_of(host), keys_of(this->host()));
  EXPECT_EQ(host["cpu"], "unknown");
  EXPECT_EQ(host["threads"], 1);
  for (const char* key : {"sockets", "cores", "cpu_quota", "memory_bytes", "os", "hypervisor"}) {
    EXPECT_TRUE(host[key].is_null()) << key;
  }
}

TEST_F(MachineTest, BrokenFilesAreNoFigures) {
  write("proc/meminfo", "MemTotal: lots\n");
  write("proc/self/cgroup", "0::/../../x\n0::\n");
  write("sys/devices/system/cpu/cpu0/cache/index0/size", "K");
  write("sys/devices/system/cpu/cpu0/cache/index0/level", "99999999999999999999");
  const ordered_json host = this->host();
  EXPECT_TRUE(host["memory_bytes"].is_null());
  EXPECT_TRUE(host["caches"]["l1d_bytes"].is_null());
}

TEST(MachineHereTest, HasCpusAndMemory) {
  const ordered_json machine = machine_json();
  EXPECT_EQ(machine["cpu"], cpu_name());
  EXPECT_GE(machine["threads"], 1);
  EXPECT_GT(machine["memory_bytes"], 1 << 20);
  EXPECT_NE(machine["kernel"].get<std::string>(), "");
}

TEST(MachineHereTest, AGpuIsNamedByTheEnginesDetails) {
  EXPECT_EQ(gpu_uuid({}), "");
  EXPECT_EQ(gpu_uuid({{"gpu", "name", "Fake"}, {"other", "uuid", "no"}, {"gpu", "uuid", "GPU-1"}}),
            "GPU-1");
}

TEST(BuildTest, SaysHowItWasMade) {
  const ordered_json build = build_json();
  EXPECT_THAT(keys_of(build), ElementsAre("version", "commit", "dirty", "compiler", "build_type",
                                          "flags", "kernel_flags", "libraries"));
  EXPECT_EQ(build["version"], version());
  EXPECT_EQ(build["compiler"].get<std::string>() + ", " + build["build_type"].get<std::string>(),
            compiler());
  EXPECT_THAT(build["kernel_flags"].get<std::string>(), MatchesRegex("-ffp-contract=fast -.*[^ ]"));
  if (build["commit"].is_null()) {
    EXPECT_TRUE(build["dirty"].is_null());
  } else {
    EXPECT_THAT(build["commit"].get<std::string>(), MatchesRegex("[0-9a-f]{40,}"));
    EXPECT_TRUE(build["dirty"].is_boolean());
  }
  for (const auto& [library, number] : build["libraries"].items()) {
    EXPECT_THAT(number.get<std::string>(), MatchesRegex("[0-9]+(\\.[0-9]+)*.*")) << library;
  }
}

}  // namespace
}  // namespace digitron
