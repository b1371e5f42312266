// libFuzzer's program: --parser=NAME says which of the fuzzers it is. Called by tools/fuzz.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "tests/fuzz/fuzzers.h"

namespace {

// Of the CPU, for one input of a few kilobytes; a busy machine does not stretch them.
constexpr double kMostSeconds = 2;

const digitron::testing::Fuzzer* fuzzer = nullptr;

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  setenv("DIGITRON_CACHE", "off", 1);
  for (int i = 1; i < *argc; ++i) {
    for (const digitron::testing::Fuzzer& each : digitron::testing::kFuzzers) {
      if ((*argv)[i] == "--parser=" + std::string(each.name)) fuzzer = &each;
    }
  }
  if (fuzzer != nullptr) return 0;
  std::fputs("digitron_fuzz: give --parser=NAME, of tests/fuzz/fuzzers.h\n", stderr);
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const double start = cpu_seconds();
  digitron::testing::may_refuse([&] { fuzzer->read(input); });
  digitron::testing::require(cpu_seconds() - start < kMostSeconds, "the input took too long");
  return 0;
}
