// Text from outside (model texts, paths, messages), made safe for the place it goes to.
#pragma once

#include <string>
#include <string_view>

namespace digitron {

// Each byte that is no part of a well-formed UTF-8 sequence becomes U+FFFD.
std::string valid_utf8(std::string_view bytes);

// Valid UTF-8 in which every control character is a space: one line, allowed in XML.
std::string one_line(std::string_view bytes);

// A message for a terminal or a log: one_line, and of a long one (a quoted file, say) the beginning
// and the end, where it says what to do.
std::string message_line(std::string_view bytes);

// Lines for a terminal: as one_line, but with the line breaks.
std::string terminal_text(std::string_view bytes);

// For HTML and SVG, between tags and inside quoted attributes.
std::string html_text(std::string_view bytes);

// For a Markdown paragraph, heading or table cell (CommonMark, GitHub's tables).
std::string markdown_text(std::string_view bytes);

// A string of gnuplot's, quotes included: single ones, in which nothing is looked up or run.
// Apostrophes become U+2019, because gnuplot 5.4 ends a string at a doubled quote at its beginning.
std::string gnuplot_text(std::string_view bytes);

// At most `most` characters, the last one an ellipsis when some are left out.
std::string shortened(std::string_view bytes, size_t most);

// For file names: lower-case letters, digits and hyphens; "" when there is neither letter nor
// digit.
std::string slug(std::string_view bytes, size_t most);

std::string base64(std::string_view bytes);

// "data:image/png;base64,..."
std::string png_uri(std::string_view png);

// Every `from` in `text` becomes `to`. `from` is not empty.
std::string replaced(std::string text, std::string_view from, std::string_view to);

}  // namespace digitron
