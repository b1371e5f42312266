#include "host/text/table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "host/text/text.h"

namespace digitron {

// Each character begins with the only byte of it that is no continuation.
size_t text_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

std::string format_table(const std::vector<Row>& rows, std::string_view alignment) {
  std::vector<size_t> widths(alignment.size(), 0);
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_width(row[i]));
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - text_width(row[i]), ' ');
      line += (i > 0 ? "  " : "") + (alignment[i] == 'r' ? gap + row[i] : row[i] + gap);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string format_markdown(const std::vector<Row>& rows, std::string_view alignment) {
  std::string text;
  for (size_t i = 0; i < rows.size(); ++i) {
    text += "|";
    for (const std::string& cell : rows[i]) text += fmt::format(" {} |", markdown_text(cell));
    text += "\n";
    if (i > 0) continue;
    text += "|";
    for (const char c : alignment) text += c == 'r' ? "---:|" : "---|";
    text += "\n";
  }
  return text;
}

std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  const auto first_digit = static_cast<std::ptrdiff_t>(value < 0 ? 1 : 0);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > first_digit; at -= 3) {
    text.insert(static_cast<size_t>(at), 1, ',');
  }
  return text;
}

std::string duration_text(double seconds) {
  constexpr double kMost = 1e9;  // 31 years
  const int64_t all = std::llround(std::clamp(seconds, 0.0, kMost));
  const int64_t minutes = all / 60;
  if (minutes == 0) return fmt::format("{} s", all);
  if (minutes < 60) return fmt::format("{} min {} s", minutes, all % 60);
  return fmt::format("{} h {} min", minutes / 60, minutes % 60);
}

std::string p_text(double p) {
  return p < 0.0001 ? "< 0.0001" : fmt::format("{:.4f}", p);
}

}  // namespace digitron
