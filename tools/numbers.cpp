// Numbers on the command line: decimal, the whole word, within what the type holds. CLI11 reads
// "010" as 8, "" as 0 and what is too large as the largest.
#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include "host/core/error.h"
#include "tools/commands.h"

namespace digitron {

namespace {

template <class T>
std::string expected() {
  if constexpr (std::is_floating_point_v<T>) {
    return "a number, such as 0.5 or 1e-3";
  } else {
    using Limits = std::numeric_limits<T>;
    return fmt::format("a whole number from {} to {}", Limits::min(), Limits::max());
  }
}

}  // namespace

template <class T>
CLI::Validator number() {
  const auto read = [](std::string& word) -> std::string {
    std::string_view digits = word;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const char* const end = digits.data() + digits.size();
    T value{};
    const auto [rest, error] = std::from_chars(digits.data(), end, value);
    if (error != std::errc() || rest != end) {
      return "'" + word + "' is not " + expected<T>();
    }
    word = fmt::format("{}", value);
    return "";
  };
  return CLI::Validator(read, "");
}

template CLI::Validator number<int>();
template CLI::Validator number<int64_t>();
template CLI::Validator number<uint64_t>();
template CLI::Validator number<double>();

void refuse_empty_values(const std::vector<std::string>& command_line) {
  for (const std::string& word : command_line) {
    if (!word.starts_with("--") || !word.ends_with('=')) continue;
    if (word.find('=') != word.size() - 1) continue;  // the value itself ends so
    throw InputError(word + " has no value; write it behind the sign, or after a space");
  }
}

}  // namespace digitron
