// What bench, sweep and Nsight's programs have found.
#include "host/bench/compare.h"
#include "host/bench/nsight_table.h"
#include "host/report/sweep_record.h"
#include "tests/fuzz/fuzzers.h"

namespace digitron::testing {

void fuzz_bench(std::string_view bytes) {
  const BenchFile file = read_bench_file(scratch_file("bench.json", bytes));
  for (const bool paired : {false, true}) {
    CompareSettings settings;
    settings.paired = paired;
    const Comparison comparison = compare(file, file, settings);
    comparison_text(file, file, comparison, paired);
    comparison_json(file, file, comparison).dump();
  }
}

void fuzz_sweep(std::string_view bytes) {
  read_sweep(scratch_file("sweep.json", bytes));
}

void fuzz_nsight(std::string_view bytes) {
  for (const auto table : {systems_kernels_table, systems_gpu_ranges_table, systems_ranges_table,
                           compute_kernels_table}) {
    try {
      table(std::string(bytes));
    } catch (const MachineError&) {  // a column is missing
    }
  }
}

}  // namespace digitron::testing
