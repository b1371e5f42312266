#include "host/bench/nsight.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "host/bench/nsight_table.h"
#include "host/core/error.h"
#include "host/process/run_tool.h"

namespace digitron {

namespace {

using Words = std::vector<std::string>;

bool is_systems(NsightTool tool) {
  return tool == NsightTool::kSystems;
}

// Options as in the user guides of Nsight Systems 2023.4 and Nsight Compute 2023.3, and later. The
// program goes on after the captured steps (--capture-range-end=stop), so that it ends as it always
// does. Sampling the CPU is left out: it takes rights that the rest does not, and time.
Words own_options(NsightTool tool, const std::filesystem::path& out) {
  const std::string report = (out / "digitron").string();
  if (is_systems(tool)) {
    return {"profile",
            "--output=" + report,
            "--force-overwrite=true",
            "--trace=cuda,nvtx,cublas,cudnn",
            "--cuda-graph-trace=node",
            "--capture-range=cudaProfilerApi",
            "--capture-range-end=stop",
            "--sample=none",
            "--cpuctxsw=none"};
  }
  return {"--export",
          report,
          "--force-overwrite",
          "--profile-from-start",
          "off",
          "--graph-profiling",
          "node",
          "--nvtx",
          "--set",
          "basic"};
}

// What prints a table of a report, and how it is read.
struct TableCommand {
  const char* title;
  Words command;
  std::string (*table)(const std::string& output);
};

std::vector<TableCommand> table_commands(NsightTool tool, const std::string& report) {
  if (!is_systems(tool)) {
    return {{"Kernels, by their counters:",
             {"ncu", "--import", report, "--csv", "--page", "raw", "--print-units", "base"},
             compute_kernels_table}};
  }
  const auto stats = [&](const char* name) {
    return Words{"nsys",     "stats", "--quiet",  "--force-export=true",
                 "--report", name,    "--format", "csv",
                 "--output", "-",     report};
  };
  return {{"Kernels on the GPU:", stats("cuda_gpu_kern_sum"), systems_kernels_table},
          {"Ranges, by the time of their kernels on the GPU:", stats("nvtx_gpu_proj_sum"),
           systems_gpu_ranges_table},
          {"Ranges, by the host's time:", stats("nvtx_sum"), systems_ranges_table}};
}

void log_lines(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) spdlog::info("{}", line);
}

void print_tables(NsightTool tool, const std::string& report) {
  for (const TableCommand& each : table_commands(tool, report)) {
    const ToolResult result = run_tool(each.command, false);
    const std::string table = result.exit_code == 0 ? each.table(result.output) : "";
    if (table.empty()) {
      spdlog::warn("Warning: no table from {}", shell_line(each.command));
    } else {
      spdlog::info("");
      spdlog::info("{}", each.title);
      log_lines(table);
    }
  }
}

std::string paranoid_level() {
  std::ifstream file("/proc/sys/kernel/perf_event_paranoid");
  std::string level = "not there";
  file >> level;
  return level;
}

}  // namespace

const char* program_of(NsightTool tool) {
  return is_systems(tool) ? "nsys" : "ncu";
}

std::filesystem::path report_path(NsightTool tool, const std::filesystem::path& out) {
  return out / (std::string("digitron.") + program_of(tool) + "-rep");
}

std::vector<std::string> capture_command(NsightTool tool, const std::filesystem::path& out,
                                         const std::vector<std::string>& more,
                                         const std::vector<std::string>& program) {
  Words command{program_of(tool)};
  for (const Words& part : {own_options(tool, out), more, program}) {
    command.insert(command.end(), part.begin(), part.end());
  }
  return command;
}

void require_tool(NsightTool tool) {
  if (find_program(program_of(tool))) return;
  throw InputError(fmt::format(
      "{} is not on PATH; install NVIDIA Nsight {} (it comes with the CUDA toolkit) and put its "
      "folder on PATH, or take --with trace, which needs no tool",
      program_of(tool), is_systems(tool) ? "Systems" : "Compute"));
}

std::string counter_problem(const std::string& output) {
  if (output.find("ERR_NVGPUCTRPERM") == std::string::npos) return "";
  return "this user may not read the GPU's performance counters (ERR_NVGPUCTRPERM); run as root, "
         "or "
         "put 'options nvidia NVreg_RestrictProfilingToAdminUsers=0' in "
         "/etc/modprobe.d/nvidia.conf "
         "and restart";
}

std::string sampling_problem(const std::string& output, const std::string& paranoid) {
  if (output.find("sampling not supported") == std::string::npos) return "";
  return "the CPU was not sampled (kernel.perf_event_paranoid is " + paranoid +
         "); run sudo sysctl kernel.perf_event_paranoid=2";
}

void run_nsight(NsightTool tool, const std::filesystem::path& out,
                const std::vector<std::string>& command) {
  const std::filesystem::path report = report_path(tool, out);
  std::filesystem::create_directories(out);
  std::filesystem::remove(report);
  const ToolResult result = run_tool(command, true);
  const std::string problem = counter_problem(result.output);
  if (!problem.empty()) throw MachineError(problem);
  if (result.exit_code != 0) {
    throw MachineError(fmt::format("{} ended with exit code {}; what it printed says why",
                                   program_of(tool), result.exit_code));
  }
  if (!std::filesystem::exists(report)) {
    throw MachineError(fmt::format(
        "{} has captured nothing: there is no {}; is the training on a GPU? (digitron devices)",
        program_of(tool), report.string()));
  }
  const std::string unsampled = sampling_problem(result.output, paranoid_level());
  if (!unsampled.empty()) spdlog::warn("Warning: {}", unsampled);
  print_tables(tool, report.string());
  spdlog::info("");
  spdlog::info("Wrote {}", report.string());
}

}  // namespace digitron
