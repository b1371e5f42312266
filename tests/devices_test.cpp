#include "host/devices.h"

#include <gmock/gmock.h>

#include "tests/data_testing.h"

namespace digitron {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

const Plan kPlan = make_plan(parse_model("fc 10"), 4);

TEST(DevicesTest, AutoAlwaysFindsAnEngine) {
  EXPECT_NE(make_engine("auto", kPlan, 1), nullptr);
  EXPECT_THAT(make_engine("cpu", kPlan, 1)->description(), HasSubstr("CPU"));
}

TEST(DevicesTest, CudaThatIsNotThereSaysWhy) {
  const EngineOrReason cuda = make_cuda_engine(kPlan, 999);
  ASSERT_TRUE(std::holds_alternative<Unavailable>(cuda));
  EXPECT_THAT(error_of<InputError>([] { make_engine("cuda:999", kPlan, 1); }),
              HasSubstr("device cuda:999 is not available: " + std::get<Unavailable>(cuda).reason));
}

TEST(DevicesTest, UnknownNamesAndThreads) {
  for (const char* name : {"", "gpu", "cuda:", "cuda:-1", "cuda:1 ", "cuda1"}) {
    EXPECT_THAT(error_of<InputError>([&] { make_engine(name, kPlan, 1); }),
                HasSubstr("unknown device"))
        << name;
  }
  for (const int threads : {-1, 100000}) {
    EXPECT_THAT(error_of<InputError>([&] { make_engine("cpu", kPlan, threads); }),
                HasSubstr("; give 1 to 1024"));
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
