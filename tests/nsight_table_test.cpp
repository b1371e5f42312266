#include "host/bench/nsight_table.h"

#include <gmock/gmock.h>

#include "host/core/error.h"

namespace digitron {
namespace {

using ::testing::HasSubstr;

// As nsys 2023.4 prints it, with what it says around it.
constexpr const char* kKernels =
    "Generating SQLite file digitron.sqlite from digitron.nsys-rep\n"
    "Processing [digitron.sqlite] with [cuda_gpu_kern_sum.py]... \n"
    "Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),Max (ns),StdDev (ns),Name\n"
    "75.0,3000000,40,75000.0,74500.5,70000,90000,1200.5,\"void cutlass::Kernel<cutlass_80_simt_"
    "sgemm_128x32_8x5_nn_align1>(T1::Params)\"\n"
    "25.0,1000000,40,25000.0,24000,20000,30000,900.0,\"digitron::gather(float *, int)\"\n"
    "\n";

TEST(NsightTableTest, KernelsOfSystems) {
  EXPECT_EQ(systems_kernels_table(kKernels),
            "kernel                                                       count  median us  "
            "total us   share\n"
            "cutlass::Kernel<cutlass_80_simt_sgemm_128x32_8x5_nn_align1>     40      74.50   "
            "3000.00  75.0 %\n"
            "digitron::gather                                                40      24.00   "
            "1000.00  25.0 %\n");
}

TEST(NsightTableTest, RangesOfSystems) {
  EXPECT_EQ(systems_gpu_ranges_table(
                "Range,Style,Total Proj Time (ns),Total Range Time (ns),Range Instances,Proj Avg "
                "(ns),Proj Med (ns),Proj Min (ns),Proj Max (ns),Proj StdDev (ns),Total GPU Ops,Avg "
                "GPU Ops,Avg Range Lvl,Avg Num Child\n"
                "digitron:step,PushPop,4000000,3900000,40,100000.0,99000.0,1,2,3,4,5,0.0,9.0\n"),
            "range  count  median us  total us\n"
            "step      40      99.00   4000.00\n");
  EXPECT_EQ(systems_ranges_table("Time (%),Total Time (ns),Instances,Avg (ns),Med (ns),Min (ns),"
                                 "Max (ns),StdDev (ns),Style,Range\n"
                                 "50.0,2500,1,2500.0,2500.0,2500,2500,0.0,PushPop,"
                                 "digitron:conv1 forward\n"),
            "range          count  median us  total us\n"
            "conv1 forward      1       2.50      2.50\n");
}

TEST(NsightTableTest, KernelsOfComputeAreGroupedAndSorted) {
  EXPECT_EQ(
      compute_kernels_table(
          "==PROF== Connected to process 4711\r\n"
          "\"ID\",\"Kernel Name\",\"gpu__compute_memory_throughput.avg.pct_of_peak_sustained_"
          "elapsed\",\"gpu__time_duration.sum\",\"launch__registers_per_thread\",\"sm__throughput."
          "avg.pct_of_peak_sustained_elapsed\",\"sm__warps_active.avg.pct_of_peak_sustained_"
          "active\"\r\n"
          "\"\",\"\",\"%\",\"ns\",\"register/thread\",\"%\",\"%\"\r\n"
          "\"0\",\"gather(float *)\",\"10.04\",\"1,500\",\"32\",\"5\",\"50\"\r\n"
          "\"1\",\"update(float *)\",\"80\",\"4,000\",\"16\",\"20\",\"90.5\"\r\n"
          "\"2\",\"gather(float *)\",\"12\",\"1,700\",\"32\",\"7\",\"52\"\r\n"
          "\"3\",\"gather(float *)\",\"11\",\"1,600\",\"32\",\"6\",\"51\"\r\n"),
      "kernel  count  median us  compute %  memory %  occupancy %  registers\n"
      "gather      3       1.60        6.0      11.0         51.0         32\n"
      "update      1       4.00       20.0      80.0         90.5         16\n");
}

TEST(NsightTableTest, WithoutATableThereIsNone) {
  for (const char* text : {"", "SKIPPED: digitron.sqlite does not contain CUDA kernel data.\n",
                           "\"\"\",,\"\n\\,\"", "Total Time (ns),Name\n"}) {
    EXPECT_EQ(systems_kernels_table(text), "");
    EXPECT_EQ(compute_kernels_table(text), "");
  }
}

TEST(NsightTableTest, AColumnThatIsMissingIsNamed) {
  try {
    systems_kernels_table("Total Time (ns),Instances,Name\n1,2,gather\n");
    FAIL() << "no error";
  } catch (const MachineError& error) {
    EXPECT_THAT(error.what(), HasSubstr("has no column 'Med (ns)'"));
  }
}

}  // namespace
}  // namespace digitron
