// A document as one HTML page that needs nothing else: no network, no script, no other file.
#pragma once

#include <string>

#include "host/report/document.h"

namespace digitron {

std::string to_html(const Document& document);

}  // namespace digitron
