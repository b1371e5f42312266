#include "host/process/run_tool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "host/core/error.h"

namespace digitron {

namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::strchr("_-./,:=+@%", c) != nullptr;
}

std::string quoted(const std::string& word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

bool can_run(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::optional<std::filesystem::path> find_program(const std::string& word) {
  if (word.find('/') != std::string::npos) {
    return can_run(word) ? std::optional<std::filesystem::path>(word) : std::nullopt;
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path program = std::filesystem::path(folder) / word;
    if (!word.empty() && can_run(program)) return program;
  }
  return std::nullopt;
}

std::string shell_line(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + quoted(word);
  return line;
}

ToolResult run_tool(const std::vector<std::string>& command, bool show) {
  std::fflush(stdout);
  FILE* pipe = popen(("exec " + shell_line(command) + " 2>&1").c_str(), "r");
  if (pipe == nullptr) {
    throw MachineError("cannot run " + command[0] + ": " + std::strerror(errno) +
                       "; free memory or processes");
  }
  ToolResult result{};
  char part[4096];
  for (size_t count = 0; (count = std::fread(part, 1, sizeof part, pipe)) > 0;) {
    result.output.append(part, count);
    if (show) std::fwrite(part, 1, count, stdout);
    if (show) std::fflush(stdout);
  }
  const int status = pclose(pipe);
  result.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

}  // namespace digitron
