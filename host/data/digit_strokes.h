// How the ten digits are written: the strokes that the synthetic digits are drawn from.
#pragma once

#include <vector>

namespace digitron {

struct Point {
  float x;  // to the right
  float y;  // down
};

// A smooth curve through its points. Where the pen turns sharply, one stroke ends and the next
// begins.
using Stroke = std::vector<Point>;

// One way to write a digit, within [-100, 100] in both directions.
using Glyph = std::vector<Stroke>;

// The ways to write a digit from 0 to 9.
const std::vector<Glyph>& glyphs_of(int digit);

}  // namespace digitron
