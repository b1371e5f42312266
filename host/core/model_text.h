// What the text of a model, and the messages about it, are made of.
#pragma once

#include <string>
#include <string_view>

namespace digitron {

// The user's text inside a message, which is one line: each control character becomes a space, so
// that columns stay.
std::string quoted_line(std::string_view text);

// As the float that layers hold: what rounds to 1 is out. Nor is NaN one.
bool is_dropout_probability(float value);

// The shortest text that reads as the same float.
std::string number_text(float value);

}  // namespace digitron
