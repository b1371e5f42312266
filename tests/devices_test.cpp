#include "host/devices/devices.h"

#include <gmock/gmock.h>

#include "tests/data_testing.h"

namespace digitron {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

const Plan kPlan = make_plan(parse_model("fc 10"), 4);

TEST(DevicesTest, AutoAlwaysFindsAnEngine) {
  EXPECT_NE(make_engine({}, kPlan).engine, nullptr);
  EXPECT_THAT(make_engine({.device = "cpu"}, kPlan).engine->description(), HasSubstr("CPU"));
  EXPECT_EQ(make_engine({.device = "cpu"}, kPlan).engine->describe().precision, "fp32");
  EXPECT_EQ(make_engine({.device = "reference"}, kPlan).engine->describe().precision, "fp64");
}

TEST(DevicesTest, CudaThatIsNotThereSaysWhy) {
  const EngineOrReason cuda = make_cuda_engine(kPlan, 999, {});
  ASSERT_TRUE(std::holds_alternative<Unavailable>(cuda));
  EXPECT_THAT(error_of<InputError>([] { make_engine({.device = "cuda:999"}, kPlan); }),
              HasSubstr("device cuda:999 is not available: " + std::get<Unavailable>(cuda).reason));
}

std::string error_of_request(const DeviceRequest& request) {
  return error_of<InputError>([&] { make_engine(request, kPlan); });
}

TEST(DevicesTest, BadRequests) {
  for (const char* name : {"", "gpu", "cuda:", "cuda:-1", "cuda:1 ", "cuda1"}) {
    EXPECT_THAT(error_of_request({.device = name}), HasSubstr("unknown device")) << name;
  }
  for (const int threads : {-1, 100000}) {
    EXPECT_THAT(error_of_request({.device = "cpu", .threads = threads}),
                HasSubstr("; give 1 to 1024"));
  }
  for (const int steps : {0, 100000}) {
    EXPECT_THAT(error_of_request({.cuda = {.steps_per_graph = steps}}),
                HasSubstr("--steps-per-graph is " + std::to_string(steps) + "; give 1 to 1024"));
  }
  EXPECT_THAT(error_of_request({.cuda = {.evaluation_batch = 0}}),
              HasSubstr("--evaluation-batch is 0; give 1 or more"));
  EXPECT_THAT(error_of_request({.device = "cpu", .cuda = {.tf32 = true}}),
              HasSubstr("--precision tf32 is for GPUs"));
}

TEST(DevicesTest, OnlyAGpuIsStartedAhead) {
  for (const char* name : {"cpu", "reference", "gpu", ""}) {
    EXPECT_FALSE(start_device({.device = name}).joinable()) << name;
  }
  for (const char* name : {"auto", "cuda", "cuda:999"}) {
    EXPECT_TRUE(start_device({.device = name}).joinable()) << name;
  }
}

TEST(DevicesTest, ReportsEveryKind) {
  const std::vector<DeviceReport> reports = all_devices();
  ASSERT_GE(reports.size(), 2u);
  EXPECT_EQ(reports[0].name, "cpu");
  EXPECT_TRUE(reports[0].available);
  for (const DeviceReport& report : reports) EXPECT_NE(report.description, "");
}

}  // namespace
}  // namespace digitron
