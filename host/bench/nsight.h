// NVIDIA's profilers around a training: their command lines, and what keeps them from working.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace digitron {

// Nsight Systems: a timeline of the whole machine. Nsight Compute: counters, kernel by kernel.
enum class NsightTool { kSystems, kCompute };

// "nsys" or "ncu".
const char* program_of(NsightTool tool);

// Where the tool leaves what it has captured: "digitron.nsys-rep" or "digitron.ncu-rep" in `out`.
std::filesystem::path report_path(NsightTool tool, const std::filesystem::path& out);

// The tool's command line: it captures the steps that `program` (its path and arguments, with
// --profile-steps) marks, graphs node by node. `more`: options of the tool after ours.
std::vector<std::string> capture_command(NsightTool tool, const std::filesystem::path& out,
                                         const std::vector<std::string>& more,
                                         const std::vector<std::string>& program);

// Throws InputError, saying what to install, where the tool is not on PATH.
void require_tool(NsightTool tool);

// A profiler's report of missing rights in what it printed, as one line with the cure; else empty.
// `paranoid`: what /proc/sys/kernel/perf_event_paranoid says.
std::string counter_problem(const std::string& output);
std::string sampling_problem(const std::string& output, const std::string& paranoid);

// Runs the tool, whose output is shown as it comes, and prints tables of its report. Throws
// MachineError where the tool fails, captures nothing or prints no table that this can read.
void run_nsight(NsightTool tool, const std::filesystem::path& out,
                const std::vector<std::string>& command);

}  // namespace digitron
