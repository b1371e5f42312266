// A report as a list of blocks: what it says, not what it looks like. All text is plain; the
// renderers (html.h, markdown.h) escape it.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "host/text/table.h"

namespace digitron {

struct Heading {
  int level;  // 2 for a part, 3 for a section
  std::string text;
};

struct Paragraph {
  std::string text;
};

// What nobody may overlook.
struct Notice {
  std::string text;
};

// rows[0] is the head; every row has alignment.size() cells.
struct Table {
  std::string caption;
  std::string alignment;  // one letter a column, 'l' or 'r'
  std::vector<Row> rows;
  bool has_total = false;                  // the last row is one
  std::vector<std::vector<double>> shade;  // as rows, each 0 to 1; empty for none
};

// Names and values under each other.
struct Facts {
  std::vector<std::pair<std::string, std::string>> rows;
};

// A vector picture.
struct Picture {
  std::string svg;
  std::string caption;  // also what stands for the picture where it cannot be seen
};

// Pictures beside each other where there is room.
struct Pictures {
  std::vector<Picture> pictures;
};

// Small images with a line of text each.
struct Tile {
  std::string png;
  std::string caption;
  std::string detail;
};
struct Tiles {
  std::string caption;
  std::vector<Tile> tiles;
  int side = 0;  // of an image, in CSS pixels
};

// A network that reads what is drawn on the page, and what is said about it.
struct DrawDigit {
  std::string caption;
  std::string network;  // for draw_digit.js: the layers and their weights as JSON
};

struct Columns;
struct Folded;
using DocumentBlock = std::variant<Heading, Paragraph, Notice, Table, Facts, Pictures, Tiles,
                                   Columns, Folded, DrawDigit>;

// Beside each other where there is room, the first twice as wide as the second.
struct Columns {
  std::vector<DocumentBlock> first, second;
};

// What is open only to those who ask; on paper, it is not there. No part (Heading 2) in it.
struct Folded {
  std::string title;
  std::vector<DocumentBlock> blocks;
};

struct Document {
  std::string title;
  std::string subtitle;
  std::vector<DocumentBlock> blocks;
};

}  // namespace digitron
