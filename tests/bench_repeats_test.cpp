#include "host/bench/repeats.h"

#include "host/files/json.h"
#include "tests/program_fixture.h"

namespace digitron {
namespace {

using ::testing::ElementsAre;

class BenchRepeatsTest : public testing::ProgramTest {};

// Measured by the program through a script that keeps each process's row.
TEST_F(BenchRepeatsTest, OnlyTheFirstProcessLooksIntoTheStep) {
  const std::string program = file("keep_row");
  testing::write_file(program, "#!/bin/sh\n" +
                                   testing::moved("DIGITRON_PROGRAM", DIGITRON_PROGRAM) +
                                   R"sh( "$@" || exit
for word in "$@"; do
  if [ "$previous" = --row-file ]; then cat "$word" >>"$0.log"; echo >>"$0.log"; fi
  previous=$word
done
)sh");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);

  BenchRequest request;
  request.command = {"digitron",  "bench",    "--model",     "fc 10",    "--data",
                     data(),      "--device", "cpu",         "--batch",  "16",
                     "--repeat",  "2",        "--breakdown", "--warmup", "0",
                     "--timeout", "0",        "--min-time",  "0",        "--roofline"};
  request.models = {"fc 10"};
  request.batches = {16};
  request.device.device = "cpu";
  request.repeat = 2;
  request.breakdown = request.roofline = true;
  const std::vector<BenchRow> rows =
      measure_rows(request, rows_of(request), program, false, [](size_t, const RowRequest&) {});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].repeats.size(), 2u);
  EXPECT_TRUE(rows[0].breakdown && rows[0].roofline);

  std::vector<bool> looked;
  std::istringstream kept(testing::read_file(program + ".log"));
  for (std::string line; std::getline(kept, line);) {
    const auto row = nlohmann::json::parse(line);
    looked.push_back(row.contains("breakdown"));
    EXPECT_EQ(row.contains("roofline"), looked.back());
  }
  EXPECT_THAT(looked, ElementsAre(true, false));
}

}  // namespace
}  // namespace digitron
