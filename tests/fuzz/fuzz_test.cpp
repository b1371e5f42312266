// The inputs in tests/fuzz/corpus, each read or refused: what fuzzers began with, and what they
// found.
#include <gmock/gmock.h>

#include "tests/data_testing.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/moved.h"

namespace digitron {
namespace {

namespace fs = std::filesystem;

class FuzzTest : public ::testing::TestWithParam<testing::Fuzzer> {};

TEST_P(FuzzTest, ReadsOrRefusesTheCorpus) {
  const fs::path data = testing::moved("DIGITRON_TEST_DATA", DIGITRON_TEST_DATA);
  const fs::path corpus = data / "../fuzz/corpus" / GetParam().name;
  ASSERT_FALSE(testing::names_in(corpus).empty());
  for (const std::string& name : testing::names_in(corpus)) {
    SCOPED_TRACE((corpus / name).string());
    EXPECT_NO_THROW(
        testing::may_refuse([&] { GetParam().read(testing::read_file(corpus / name)); }));
  }
}

INSTANTIATE_TEST_SUITE_P(Parsers, FuzzTest, ::testing::ValuesIn(testing::kFuzzers),
                         [](const auto& parser) { return parser.param.name; });

}  // namespace
}  // namespace digitron
