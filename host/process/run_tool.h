// Programs that are not ours, and what they print.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace digitron {

// Where a program is that this process may run: looked for on PATH, or at the path that the word
// is.
std::optional<std::filesystem::path> find_program(const std::string& word);

// The words as one line for a shell, quoted where it needs that.
std::string shell_line(const std::vector<std::string>& words);

struct ToolResult {
  int exit_code;       // 128 + N when signal N ended it
  std::string output;  // its standard output and error
};

// Runs a program, which is looked for on PATH. `show`: what it prints appears here too, as it
// comes. Throws MachineError where no process can be started.
ToolResult run_tool(const std::vector<std::string>& command, bool show);

}  // namespace digitron
