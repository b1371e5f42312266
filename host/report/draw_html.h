// A digit to draw as HTML, with the script that reads it.
#pragma once

#include <string>

#include "host/report/document.h"

namespace digitron {

// draw_digit.js; CMakeLists.txt makes the source that has it.
extern const char* const kDrawScript;

// The part's elements, the network and the script: nothing from outside the page is needed.
std::string draw_html(const DrawDigit& draw);

}  // namespace digitron
