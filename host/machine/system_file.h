// Reading /proc, /sys and the like, where what is missing or unreadable is an answer: nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace digitron {

// Where to look: tests have a /proc and a /sys of their own.
inline const std::filesystem::path kSystemRoot = "/";

std::optional<std::string> first_line(const std::filesystem::path& path);

// What the first line that begins with `key` has after it, without ":", "=", blanks and quotes
// around: "12 (bookworm)" for VERSION in /etc/os-release.
std::optional<std::string> value_of(const std::filesystem::path& path, std::string_view key);

// The whole number that the text begins with.
std::optional<int64_t> leading_number(const std::optional<std::string>& text);

// The folders of this process's control group and of those around it, innermost first; none where
// cgroup v2 is not mounted at /sys/fs/cgroup.
std::vector<std::filesystem::path> control_groups(const std::filesystem::path& root);

}  // namespace digitron
