// Tables for people out of what Nsight's programs print as CSV.
#pragma once

#include <string>

namespace digitron {

// Each takes all that the program printed and returns a table, or "" where there is none in it.
// Throws MachineError for one that lacks a column.

// nsys stats --report cuda_gpu_kern_sum, nvtx_gpu_proj_sum and nvtx_sum.
std::string systems_kernels_table(const std::string& output);
std::string systems_gpu_ranges_table(const std::string& output);
std::string systems_ranges_table(const std::string& output);

// ncu --import FILE --csv --page raw --print-units base: the medians of each kernel's launches.
std::string compute_kernels_table(const std::string& output);

}  // namespace digitron
