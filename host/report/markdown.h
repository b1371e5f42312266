// A document as a Markdown page (GitHub's tables) with its pictures in SVG files beside it.
#pragma once

#include <map>
#include <string>

#include "host/report/document.h"

namespace digitron {

struct MarkdownPage {
  std::string text;
  std::map<std::string, std::string> files;  // name -> SVG, which needs no other file
};

// Every file's name begins with `prefix`.
MarkdownPage to_markdown(const Document& document, const std::string& prefix);

// Tiles as one picture, by rows.
std::string tiles_svg(const Tiles& tiles);

}  // namespace digitron
