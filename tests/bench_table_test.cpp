#include "host/bench/bench_table.h"

#include <gmock/gmock.h>

#include <sstream>

#include "tests/bench_testing.h"

namespace digitron {
namespace {

using testing::cpu_row;
using ::testing::Each;
using testing::gpu_row;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::repeat_of;

TEST(BenchTableTest, Page) {
  BenchRow quiet = cpu_row();
  quiet.name = "MLP";
  quiet.repeats = {repeat_of({120, 110, 130}), repeat_of({100, 105, 115})};
  BenchRow busy = quiet;
  busy.device = "CPU, AVX-512, 1 thread";
  busy.threads = 1;
  busy.repeats[1].quiet = {{"warnings", {"others took 50 % of the CPU time"}}};
  busy.repeats[1].samples.missed = "--max-noise 0.5 %: 1.2 %";
  busy.repeats[0].samples.missed = "--max-noise 0.5 %: 3.4 %";
  EXPECT_EQ(bench_table({quiet, busy}), R"(CPU, AVX-512, 2 threads, fp32
CPU, AVX-512, 1 thread, fp32

Microseconds of a training step:
model  batch  threads  median    p10    p90    p99    max  noise  between  images/s  GFLOP/s
MLP       64        2   112.5  106.5  120.5  122.3  130.0      -   9.43 %   568,889  1,333.3
MLP       64        1   112.5  106.5  120.5  122.3  130.0      -   9.43 %   568,889  1,333.3  ! 1 2

noise: how far a process's median may be off, one standard error, the worst of 2; between:
how far the medians of these processes lie apart, one standard deviation.
! 1 all 2 repeats: timed out short of --max-noise 0.5 %, at 3.4 %, 1.2 %
! 2 repeat 2 of 2: others took 50 % of the CPU time

Milliseconds from the start of a process to its first step:
model  batch  threads  process   data  module  first step  recording
MLP       64        2     10.0  200.0    30.0         4.0          -
MLP       64        1     10.0  200.0    30.0         4.0          -
)");
}

TEST(BenchTableTest, SaysHowManyThreadsWereChosen) {
  BenchRow row = cpu_row();
  EXPECT_THAT(bench_table({row}), Not(HasSubstr("threads  median")));
  row.threads = kAutoThreads;
  row.repeats[0].threads = row.repeats[1].threads = 2;
  EXPECT_THAT(bench_table({row}), HasSubstr("  auto: 2  "));
  row.repeats[0].threads = 1;
  EXPECT_THAT(bench_table({row}), HasSubstr("  auto: 1 to 2  "));
}

TEST(BenchTableTest, AGpuHasTwoClocksAndARecording) {
  const std::string page = bench_table({gpu_row()});
  EXPECT_THAT(page, HasSubstr("     host  images/s"));
  EXPECT_THAT(page, HasSubstr("  1,126.0    56,889"));
  EXPECT_THAT(page, HasSubstr("        5.0\n"));
  EXPECT_THAT(page, Not(HasSubstr("  mode  "))) << "one row differs from no other";
  BenchRow eager = gpu_row();
  eager.mode = "eager";
  EXPECT_THAT(bench_table({gpu_row(), eager}), HasSubstr("LeNet-5     64  eager  "));
}

TEST(BenchTableTest, SaysWhatIsMeasured) {
  BenchRow row = cpu_row();
  row.work = Work::kEvaluate;
  EXPECT_THAT(bench_table({row}), HasSubstr("Microseconds of an evaluation of the held-out set:"));
  EXPECT_THAT(bench_table({cpu_row(), row}), HasSubstr("LeNet-5     64  evaluate  "));
}

TEST(BenchTableTest, Markdown) {
  const std::string page = bench_markdown({cpu_row(), gpu_row()});
  std::vector<size_t> bars;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('|')) continue;
    bars.push_back(static_cast<size_t>(std::count(line.begin(), line.end(), '|')));
  }
  ASSERT_EQ(bars.size(), 2u * 4) << page;
  EXPECT_THAT(std::vector(bars.begin(), bars.begin() + 4), Each(bars[0]));
  EXPECT_THAT(std::vector(bars.begin() + 4, bars.end()), Each(bars[4]));
  EXPECT_THAT(page, HasSubstr("\n|---|---:|---:|---|"));
}

}  // namespace
}  // namespace digitron
