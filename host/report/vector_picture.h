// gnuplot's pictures, made to stand in a page: their colours, and SVG without a font, a link or a
// script.
#pragma once

#include <cstddef>
#include <string>

namespace digitron {

// "#222222": of text and axes, of grids, of a palette that is counted on in a circle.
std::string ink_colour();
std::string grid_colour();
std::string palette_colour(size_t index);

// The beginning of a script: the terminal with its size in pixels, and quiet axes.
std::string picture_setup(int width, int height);

// The picture that a script draws. Colours are var(--ink, ...), var(--grid, ...) and
// var(--curve-1, ...), so that a page can set them; on its own it has dark ink and needs a light
// ground. `name` is unique in a document: the picture's ids begin with it. Throws MachineError as
// run_gnuplot does.
std::string vector_picture(const std::string& script, const std::string& name);

}  // namespace digitron
