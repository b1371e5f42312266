#include "host/cpu/free_memory.h"

#include <gtest/gtest.h>

#include <map>

#include "host/core/error.h"
#include "host/cpu/cpu_engine.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

FreeMemory memory_of(const std::map<std::string, std::string>& files) {
  return free_memory([&](const std::string& path) {
    const auto found = files.find(path);
    return found == files.end() ? "" : found->second;
  });
}

const std::string kMemInfo = "/proc/meminfo";
const std::string kMachine = "MemTotal:  9000000 kB\nMemAvailable:    2000000 kB\n";
const std::string kOwnGroup = "/proc/self/cgroup";
const std::string kGroups = "/sys/fs/cgroup";

TEST(FreeMemoryTest, IsWhatTheMachineHasAvailable) {
  EXPECT_EQ(memory_of({{kMemInfo, kMachine}}).bytes, 2'048'000'000u);
  EXPECT_EQ(memory_of({{kMemInfo, kMachine}}).text, "of the machine");
  EXPECT_EQ(memory_of({}).bytes, UINT64_MAX) << "nothing says";
}

TEST(FreeMemoryTest, IsWhatAGroupLeavesWithItsFileCache) {
  std::map<std::string, std::string> files{{kMemInfo, kMachine},
                                           {kOwnGroup, "0::/pod/run\n"},
                                           {kGroups + "/pod/run/memory.max", "max\n"},
                                           {kGroups + "/pod/run/memory.current", "5\n"},
                                           {kGroups + "/pod/memory.max", "1000000000\n"},
                                           {kGroups + "/pod/memory.current", "600000000\n"},
                                           {kGroups + "/pod/memory.stat", "inactive_file 100\n"}};
  EXPECT_EQ(memory_of(files).bytes, 400'000'100u);
  EXPECT_EQ(memory_of(files).text, "of the cgroup (memory.max 1000000000)");
  files[kGroups + "/pod/memory.current"] = "2000000000\n";
  EXPECT_EQ(memory_of(files).bytes, 0u);
}

TEST(FreeMemoryTest, AGroupOfVersionOne) {
  const FreeMemory free = memory_of({{kMemInfo, kMachine},
                                     {kOwnGroup, "4:memory:/job\n"},
                                     {kGroups + "/memory/job/memory.limit_in_bytes", "3000\n"},
                                     {kGroups + "/memory/job/memory.usage_in_bytes", "1000\n"}});
  EXPECT_EQ(free.bytes, 2000u);
}

TEST(FreeMemoryTest, TooMuchIsRefusedBeforeItIsTaken) {
  EXPECT_EQ(testing::error_of<MachineError>([] {
              require_memory(7'123'000'000, "fc 10 at batch 64", {1'050'000'000, "of the machine"});
            }),
            "fc 10 at batch 64 needs 7.12 GB of memory, and 1.05 GB of the machine are free; take "
            "a smaller model or batch, or fewer --threads");
  EXPECT_NO_THROW(require_memory(7, "little", {7, ""}));
}

TEST(FreeMemoryTest, AnEngineCountsItsStatesAndBlocks) {
  const Plan plan = make_plan(lenet5(), 64);
  const uint64_t states = uint64_t{kStateCount} * plan.parameter_floats * sizeof(float);
  EXPECT_GT(cpu_engine_bytes(plan, 1), states);
  EXPECT_LT(cpu_engine_bytes(plan, 1), 20 * states);
  EXPECT_GT(
      cpu_engine_bytes(make_plan(find_model("lenet5-improved"), 4096), 2),
      cpu_engine_bytes(make_plan(find_model("lenet5-improved"), 64), 2) + (uint64_t{50} << 20));
}

}  // namespace
}  // namespace digitron
