#include "host/report/vector_picture.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <string_view>

#include "host/report/gnuplot.h"
#include "host/text/text.h"

namespace digitron {

namespace {

struct Colour {
  int red, green, blue;
};

constexpr Colour kInk{34, 34, 34};
constexpr Colour kGrid{218, 218, 218};

// Okabe and Ito's, told apart with any kind of colour vision.
constexpr std::array kPalette{Colour{0, 114, 178},   Colour{213, 94, 0},  Colour{0, 158, 115},
                              Colour{204, 121, 167}, Colour{230, 159, 0}, Colour{86, 180, 233}};

std::string hex(const Colour& c) {
  return fmt::format("#{:02x}{:02x}{:02x}", c.red, c.green, c.blue);
}

// The text between the marks, marks included, goes.
void erase_all(std::string& text, std::string_view begin, std::string_view end) {
  for (size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
    const size_t stop = text.find(end, at + begin.size());
    if (stop == std::string::npos) return;
    text.erase(at, stop + end.size() - at);
  }
}

// gnuplot writes a colour in two ways.
std::string with_variable(std::string svg, const Colour& c, const std::string& name) {
  const std::string to = fmt::format("var(--{}, {})", name, hex(c));
  svg = replaced(std::move(svg), fmt::format("rgb({:3}, {:3}, {:3})", c.red, c.green, c.blue), to);
  return replaced(std::move(svg), fmt::format("rgb({},{},{})", c.red, c.green, c.blue), to);
}

// gnuplot's point 7, where the picture has such points, under a name of its own.
void add_dot(std::string& svg, const std::string& id) {
  if (svg.find("#gpPt6") == std::string::npos) return;
  svg = replaced(std::move(svg), "#gpPt6", "#" + id);
  svg.insert(svg.find('>') + 1, fmt::format("<defs><circle id=\"{}\" r=\"1\" fill=\"currentColor\" "
                                            "stroke=\"none\"/></defs>\n",
                                            id));
}

}  // namespace

std::string ink_colour() {
  return hex(kInk);
}

std::string grid_colour() {
  return hex(kGrid);
}

std::string palette_colour(size_t index) {
  return hex(kPalette[index % kPalette.size()]);
}

std::string picture_setup(int width, int height) {
  return fmt::format(
      "set encoding utf8\n"
      "set terminal svg size {0},{1} dynamic noenhanced font 'sans-serif,13' linewidth 1.1 "
      "rounded\n"
      "set border 3 linecolor rgb '{2}'\n"
      "set tics nomirror out scale 0.4 textcolor rgb '{2}'\n"
      "set grid xtics ytics linetype 1 linecolor rgb '{3}' linewidth 0.5\n"
      "set key reverse Left samplen 2 width 2 textcolor rgb '{2}'\n"
      "set format '%g'\n",
      width, height, ink_colour(), grid_colour());
}

// Without what several pictures in one page would have in common (ids), and without groups that
// draw nothing.
std::string vector_picture(const std::string& script, const std::string& name) {
  std::string svg = run_gnuplot(script);
  const size_t begin = svg.find("<svg");
  if (begin != std::string::npos) svg.erase(0, begin);
  erase_all(svg, "<title>", "</title>");
  erase_all(svg, "<desc>", "</desc>");
  erase_all(svg, "<defs>", "</defs>");
  erase_all(svg, " id=\"gnuplot", "\"");
  erase_all(svg, " font-family=\"", "\"");
  svg = replaced(std::move(svg), "]]>", "]]&gt;");  // gnuplot leaves that of a name as it is
  add_dot(svg, name + "-dot");
  svg.insert(4, " font-family=\"system-ui, sans-serif\"");
  svg = with_variable(std::move(svg), kInk, "ink");
  svg = with_variable(std::move(svg), kGrid, "grid");
  for (size_t i = 0; i < kPalette.size(); ++i) {
    svg = with_variable(std::move(svg), kPalette[i], fmt::format("curve-{}", i + 1));
  }
  return svg;
}

}  // namespace digitron
