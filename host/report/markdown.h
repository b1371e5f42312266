// A document as a Markdown page (GitHub's tables). Pictures are in the HTML page alone: here their
// captions lead to it.
#pragma once

#include <string>

#include "host/report/document.h"

namespace digitron {

// `html_page` is the HTML page's name, beside this one.
std::string to_markdown(const Document& document, const std::string& html_page);

}  // namespace digitron
