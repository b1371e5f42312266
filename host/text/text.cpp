#include "host/text/text.h"

#include <spdlog/fmt/fmt.h>

#include <cctype>
#include <cstdint>

namespace digitron {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// The length in bytes of the well-formed character at the start of `bytes`, 0 when there is none
// (Unicode 15, table 3-7). U+FFFE and U+FFFF count as none: XML forbids them.
size_t character_length(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const size_t length = first < 0xC2   ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  if (length == 0 || bytes.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!is_continuation(bytes[i])) return 0;
  }
  const bool overlong = (first == 0xE0 && at(1) < 0xA0) || (first == 0xF0 && at(1) < 0x90);
  const bool surrogate = first == 0xED && at(1) > 0x9F;
  const bool too_large = first == 0xF4 && at(1) > 0x8F;
  const bool no_character = first == 0xEF && at(1) == 0xBF && at(2) >= 0xBE;
  return overlong || surrogate || too_large || no_character ? 0 : length;
}

template <class Visit>
void for_each_character(std::string_view bytes, Visit&& visit) {
  while (!bytes.empty()) {
    const size_t length = character_length(bytes);
    visit(length == 0 ? kReplacement : bytes.substr(0, length));
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
}

// U+0000 to U+001F, U+007F, U+0080 to U+009F.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  return first < 0x20 || first == 0x7F ||
         (first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0);
}

// One character, as HTML and Markdown need it outside of attributes.
void append_html(std::string& text, char c) {
  if (c == '&') {
    text += "&amp;";
  } else if (c == '<' || c == '>') {
    text += c == '<' ? "&lt;" : "&gt;";
  } else {
    text += c;
  }
}

}  // namespace

std::string valid_utf8(std::string_view bytes) {
  std::string text;
  for_each_character(bytes, [&](std::string_view character) { text += character; });
  return text;
}

std::string one_line(std::string_view bytes) {
  std::string text;
  for_each_character(bytes, [&](std::string_view character) {
    text += is_control(character) ? std::string_view(" ") : character;
  });
  return text;
}

std::string message_line(std::string_view bytes) {
  constexpr size_t kMostBytes = 4096;
  constexpr size_t kEndBytes = 1024;
  if (bytes.size() <= kMostBytes) return one_line(bytes);
  size_t end = bytes.size() - kEndBytes;
  while (end < bytes.size() && is_continuation(bytes[end])) ++end;
  size_t begin = kMostBytes - kEndBytes;
  while (begin > 0 && is_continuation(bytes[begin])) --begin;
  return one_line(bytes.substr(0, begin)) + " \u2026 " + one_line(bytes.substr(end));
}

std::string terminal_text(std::string_view bytes) {
  std::string text;
  for_each_character(bytes, [&](std::string_view character) {
    text += is_control(character) && character != "\n" ? std::string_view(" ") : character;
  });
  return text;
}

std::string html_text(std::string_view bytes) {
  std::string text;
  for (const char c : one_line(bytes)) {
    if (c == '"') {
      text += "&quot;";
    } else if (c == '\'') {
      text += "&#39;";
    } else {
      append_html(text, c);
    }
  }
  return text;
}

std::string markdown_text(std::string_view bytes) {
  constexpr std::string_view kSpecial = "\\`*_[]|~$#";
  constexpr std::string_view kSpecialAtStart = "+-=";  // a list, an underline
  std::string text;
  for (const char c : one_line(bytes)) {
    const bool at_start = text.empty() && kSpecialAtStart.find(c) != std::string_view::npos;
    if (at_start || kSpecial.find(c) != std::string_view::npos) text += '\\';
    append_html(text, c);
  }
  return text;
}

std::string gnuplot_text(std::string_view bytes) {
  return fmt::format("'{}'", replaced(one_line(bytes), "'", "\u2019"));
}

std::string shortened(std::string_view bytes, size_t most) {
  std::string text;
  size_t count = 0;
  size_t last = 0;  // where the last character that may stay begins
  for_each_character(bytes, [&](std::string_view character) {
    if (++count == most) last = text.size();
    text += character;
  });
  return count <= most ? text : text.substr(0, last) + "\u2026";
}

std::string slug(std::string_view bytes, size_t most) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && std::isalnum(byte)) {
      text += static_cast<char>(std::tolower(byte));
    } else if (!text.empty() && text.back() != '-') {
      text += '-';
    }
  }
  text = text.substr(0, most);
  text.erase(text.find_last_not_of('-') + 1);
  return text;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += i + j > bytes.size() ? '=' : kDigits[bits >> (18 - 6 * j) & 63];
    }
  }
  return text;
}

std::string png_uri(std::string_view png) {
  return "data:image/png;base64," + base64(png);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace digitron
