#include "host/machine/system_file.h"

#include <charconv>
#include <fstream>

namespace digitron {

std::optional<std::string> first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? std::optional(line) : std::nullopt;
}

std::optional<std::string> value_of(const std::filesystem::path& path, std::string_view key) {
  constexpr const char* kAround = " \t:=\"";
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const size_t begin = line.find_first_not_of(kAround, key.size());
    if (begin == std::string::npos) return std::nullopt;
    return line.substr(begin, line.find_last_not_of(kAround) + 1 - begin);
  }
  return std::nullopt;
}

std::optional<int64_t> leading_number(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::vector<std::filesystem::path> control_groups(const std::filesystem::path& root) {
  std::vector<std::filesystem::path> groups;
  std::filesystem::path group = value_of(root / "proc/self/cgroup", "0::").value_or("");
  while (!group.empty()) {
    const std::filesystem::path folder = root / "sys/fs/cgroup" / group.relative_path();
    std::error_code none;
    if (std::filesystem::exists(folder / "cgroup.controllers", none)) groups.push_back(folder);
    group = group.has_relative_path() ? group.parent_path() : "";
  }
  return groups;
}

}  // namespace digitron
