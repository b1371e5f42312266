#include "host/bench/trace.h"

#include <gmock/gmock.h>

#include <fstream>

#include "host/core/error.h"
#include "host/files/json.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<TraceEvent> kEvents = {
    {"thread 0", "step", "step", 0.5, 0.25, 3},
    {"thread 0", "conv1 forward", "forward", 0.5, 0.125, 3, 2},
    {"thread 1", "waiting", "waiting", 0.5, 0.25},
};

TEST(TraceTest, IsChromesTraceEventFormat) {
  EXPECT_EQ(trace_json(kEvents), Json::parse(R"({
    "traceEvents": [
      {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "thread 0"}},
      {"name": "step", "cat": "step", "ph": "X", "ts": 500000.0, "dur": 250000.0,
       "pid": 1, "tid": 1, "args": {"step": 3}},
      {"name": "conv1 forward", "cat": "forward", "ph": "X", "ts": 500000.0, "dur": 125000.0,
       "pid": 1, "tid": 1, "args": {"step": 3, "block": 2}},
      {"name": "thread_name", "ph": "M", "pid": 1, "tid": 2, "args": {"name": "thread 1"}},
      {"name": "waiting", "cat": "waiting", "ph": "X", "ts": 500000.0, "dur": 250000.0,
       "pid": 1, "tid": 2}
    ],
    "displayTimeUnit": "ns"})"));
}

TEST(TraceTest, WithoutEventsIsStillATrace) {
  EXPECT_EQ(trace_json({}), Json::parse(R"({"traceEvents": [], "displayTimeUnit": "ns"})"));
}

TEST(TraceTest, TheFileHoldsTheJson) {
  const testing::TemporaryDirectory directory;
  write_trace(directory / "trace.json", kEvents);
  std::ifstream file(directory / "trace.json");
  EXPECT_EQ(Json::parse(file), trace_json(kEvents));
}

TEST(TraceTest, APlaceThatIsNotThereIsTheUsersMistake) {
  const testing::TemporaryDirectory directory;
  EXPECT_THROW(write_trace(directory / "none" / "trace.json", kEvents), InputError);
}

}  // namespace
}  // namespace digitron
