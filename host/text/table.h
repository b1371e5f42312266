// Plain text for people: aligned tables and numbers that can be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace digitron {

using Row = std::vector<std::string>;

// How many characters of UTF-8 it has.
size_t text_width(std::string_view text);

// Rows under each other, two spaces between columns, a newline after each row. `alignment` has one
// letter a column, 'l' or 'r'; every row has that many cells.
std::string format_table(const std::vector<Row>& rows, std::string_view alignment);

// The same as a table of GitHub's Markdown, the first row its heading.
std::string format_markdown(const std::vector<Row>& rows, std::string_view alignment);

// 61706 -> "61,706".
std::string grouped(int64_t value);

// "12 s", "3 min 5 s", "2 h 10 min".
std::string duration_text(double seconds);

// A probability with four decimals, or "< 0.0001".
std::string p_text(double p);

}  // namespace digitron
