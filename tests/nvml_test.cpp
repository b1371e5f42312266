// Against fake_nvml/nvml.cpp, and libraries that are something else.
#include "host/machine/nvml.h"

#include <gmock/gmock.h>

#include "host/files/json.h"
#include "host/machine/machine.h"
#include "tests/fake_nvml.h"

namespace digitron {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using testing::FakeNvmlTest;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kFakeGpu;
using ::testing::SizeIs;

std::string reason_of(const std::string& library) {
  const auto nvml = Nvml::open(library);
  const auto* reason = std::get_if<Unavailable>(&nvml);
  return reason ? reason->reason : "it opens";
}

class NvmlTest : public FakeNvmlTest {
 protected:
  GpuReading read() const {
    const auto nvml = Nvml::open(library());
    const auto gpu = std::get<Nvml>(nvml).find(kFakeGpu);
    return std::get<Nvml>(nvml).read(std::get<Nvml::Gpu>(gpu));
  }
};

TEST_F(NvmlTest, ReadsAGpu) {
  set("FAKE_NVML_THROTTLE", "0x44");
  const GpuReading reading = read();
  EXPECT_EQ(reading.sm_mhz, 1980u);
  EXPECT_EQ(reading.memory_mhz, 2619u);
  EXPECT_EQ(reading.celsius, 40u);
  EXPECT_EQ(reading.watts, 123.456);
  EXPECT_EQ(reading.joules, 7000.5);
  EXPECT_EQ(reading.throttle, 0x44u);
  EXPECT_THAT(reading.reasons, IsEmpty());
}

TEST_F(NvmlTest, ListsGpus) {
  const auto nvml = Nvml::open(library());
  EXPECT_EQ(
      gpus_json(std::get<Nvml>(nvml)).dump(),
      R"([{"name":"Fake GPU","uuid":")" + std::string(kFakeGpu) +
          R"(","driver":"999.88.77","compute_capability":"9.0","memory_bytes":85899345920}])");
}

TEST_F(NvmlTest, WhatFailsIsAbsentWithItsReason) {
  set("FAKE_NVML_FAILS", "nvmlDeviceGetPowerUsage nvmlDeviceGetTotalEnergyConsumption ");
  const GpuReading reading = read();
  EXPECT_EQ(reading.sm_mhz, 1980u);
  EXPECT_FALSE(reading.watts);
  EXPECT_FALSE(reading.joules);
  EXPECT_THAT(reading.reasons,
              ElementsAre("nvmlDeviceGetPowerUsage failed: Not Supported",
                          "nvmlDeviceGetTotalEnergyConsumption failed: Not Supported"));
  set("FAKE_NVML_FAILS", "nvmlDeviceGetMemoryInfo nvmlDeviceGetName ");
  const auto nvml = Nvml::open(library());
  const GpuFacts facts = std::get<Nvml>(nvml).gpus().at(0);
  EXPECT_EQ(facts.driver, "999.88.77");
  EXPECT_FALSE(facts.memory_bytes);
}

TEST_F(NvmlTest, AFunctionThatAnOldDriverLacks) {
  const auto nvml = Nvml::open(old_library());
  ASSERT_TRUE(std::holds_alternative<Nvml>(nvml)) << reason_of(old_library());
  const GpuReading reading = std::get<Nvml>(nvml).read(nullptr);
  EXPECT_THAT(reading.reasons, SizeIs(6));
  EXPECT_THAT(reading.reasons, Each(HasSubstr(" is not in the driver's NVML; update the driver")));
  EXPECT_THAT(std::get<Nvml>(nvml).gpus(), IsEmpty());
}

TEST_F(NvmlTest, LibrariesThatDoNotOpen) {
  EXPECT_THAT(reason_of("libno-such-nvml.so.1"),
              ::testing::AllOf(HasSubstr("libno-such-nvml.so.1"), HasSubstr("NVIDIA's driver")));
  EXPECT_EQ(reason_of("libm.so.6"), "nvmlInit_v2 is not in the driver's NVML; update the driver");
  set("FAKE_NVML_FAILS", "nvmlInit_v2 ");
  EXPECT_EQ(reason_of(library()), "nvmlInit_v2 failed: Not Supported");
}

TEST_F(NvmlTest, AGpuThatIsNotThere) {
  const auto nvml = Nvml::open(library());
  const auto gpu = std::get<Nvml>(nvml).find("GPU-other");
  EXPECT_EQ(std::get<Unavailable>(gpu).reason,
            "NVML knows no GPU-other: nvmlDeviceGetHandleByUUID failed: Not Found");
}

TEST(ThrottleWordsTest, AreThoseOfNvidiaSmi) {
  EXPECT_THAT(throttle_words(0), IsEmpty());
  EXPECT_THAT(throttle_words(0x1 | 0x4 | 0x40),
              ElementsAre("idle", "software power cap", "hardware thermal slowdown"));
  EXPECT_THAT(throttle_words(0x100 | 1ull << 63),
              ElementsAre("display clock setting", "reason of bit 63"));
}

}  // namespace
}  // namespace digitron
