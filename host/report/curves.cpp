#include "host/report/curves.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

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

constexpr int kMostMarkedPoints = 40;  // more of them would hide the line
constexpr size_t kMostTitle = 44;

std::string hex(const Colour& c) {
  return fmt::format("#{:02x}{:02x}{:02x}", c.red, c.green, c.blue);
}

std::string curve_colour(const Curve& curve) {
  return hex(kPalette[curve.colour % kPalette.size()]);
}

struct Range {
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -std::numeric_limits<double>::infinity();
  void add(double value) {
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
};

Range epochs_of(const Plot& plot) {
  Range range;
  for (const Curve& curve : plot.curves)
    for (const CurvePoint& point : curve.points) range.add(point.epoch);
  return range;
}

Range values_of(const Plot& plot) {
  Range range;
  for (const Curve& curve : plot.curves) {
    for (const CurvePoint& point : curve.points) {
      range.add(point.lowest);
      range.add(point.highest);
    }
  }
  return range;
}

// 1, 2, 5, 10, 20, ...: the smallest step that makes at most `most` of them.
double step_for(double span, int most) {
  double step = 1;
  for (int i = 0; span / step > most; ++i) step *= i % 3 == 1 ? 2.5 : 2;
  return step;
}

std::string x_axis(const Range& epochs) {
  constexpr int kMostTics = 10;
  if (!(epochs.lowest < epochs.highest)) {
    return fmt::format("set xrange [{}:{}]\nset xtics {},1\n", epochs.lowest - 1, epochs.lowest + 1,
                       epochs.lowest);
  }
  const double step = step_for(epochs.highest - epochs.lowest, kMostTics);
  return fmt::format("set xrange [{}:{}]\nset xtics {}\n", epochs.lowest, epochs.highest, step);
}

// The digits that get a tic in every power of ten: the wider the range, the fewer.
std::vector<int> tic_digits(double powers) {
  if (powers < 0.6) return {1, 2, 3, 4, 5, 6, 7, 8, 9};
  if (powers < 1.2) return {1, 2, 3, 5, 7};
  if (powers < 4) return {1, 2, 5};
  return {1};
}

// gnuplot's own tics, at powers of ten, leave most of such an axis unmarked.
std::string logarithmic_axis(const Range& values) {
  const double lowest = values.lowest / 1.1;
  const double highest = values.highest * 1.1;
  const int first = static_cast<int>(std::floor(std::log10(lowest)));
  const int last = static_cast<int>(std::ceil(std::log10(highest)));
  std::string tics;
  for (int power = first; power <= last; ++power) {
    for (const int digit : tic_digits(std::log10(highest / lowest))) {
      tics += fmt::format("{}{}e{}", tics.empty() ? "" : ",", digit, power);
    }
  }
  return fmt::format("set logscale y\nset yrange [{}:{}]\nset ytics ({})\n", lowest, highest, tics);
}

std::string y_axis(const Plot& plot) {
  const Range values = values_of(plot);
  if (plot.logarithmic && values.lowest > 0) return logarithmic_axis(values);
  if (values.lowest < values.highest) return "set yrange [*:*]\n";
  const double margin = std::max(std::abs(values.lowest) * 0.1, 1e-6);  // of a constant
  return fmt::format("set yrange [{}:{}]\n", values.lowest - margin, values.highest + margin);
}

// epoch mean lowest highest
std::string data_block(const Curve& curve, size_t index) {
  std::string text = fmt::format("$curve{} << EOD\n", index);
  for (const CurvePoint& p : curve.points) {
    text += fmt::format("{} {} {} {}\n", p.epoch, p.mean, p.lowest, p.highest);
  }
  return text + "EOD\n";
}

bool has_band(const Curve& curve) {
  return std::any_of(curve.points.begin(), curve.points.end(),
                     [](const CurvePoint& point) { return point.lowest < point.highest; });
}

std::string band(const Curve& curve, size_t index) {
  if (!has_band(curve)) return "";
  return fmt::format(
      "$curve{} using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder "
      "linecolor rgb '{}' notitle, ",
      index, curve_colour(curve));
}

std::string line(const Curve& curve, size_t index) {
  const bool marked = curve.points.size() <= kMostMarkedPoints;
  return fmt::format(
      "$curve{} using 1:2 with {} linecolor rgb '{}' linewidth 1.7{}{} title {}, ", index,
      marked ? "linespoints" : "lines", curve_colour(curve), curve.dashed ? " dashtype (6,4)" : "",
      marked ? " pointtype 7 pointsize 0.5" : "", gnuplot_text(shortened(curve.title, kMostTitle)));
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

// gnuplot's SVG without what several pictures in one page would have in common (ids), without
// groups that draw nothing, and with colours that the page may set.
std::string for_page(std::string svg, const std::string& name) {
  const size_t begin = svg.find("<svg");
  if (begin != std::string::npos) svg.erase(0, begin);
  erase_all(svg, "<title>", "</title>");
  erase_all(svg, "<desc>", "</desc>");
  erase_all(svg, "<defs>", "</defs>");
  erase_all(svg, " id=\"gnuplot", "\"");
  erase_all(svg, " font-family=\"", "\"");
  svg = replaced(std::move(svg), "#gpPt6", "#" + name + "-dot");
  const size_t inside = svg.find('>') + 1;
  svg.insert(inside, fmt::format("<defs><circle id=\"{}-dot\" r=\"1\" fill=\"currentColor\" "
                                 "stroke=\"none\"/></defs>\n",
                                 name));
  svg.insert(4, " font-family=\"system-ui, sans-serif\"");
  svg = with_variable(std::move(svg), kInk, "ink");
  svg = with_variable(std::move(svg), kGrid, "grid");
  for (size_t i = 0; i < kPalette.size(); ++i) {
    svg = with_variable(std::move(svg), kPalette[i], fmt::format("curve-{}", i + 1));
  }
  return svg;
}

}  // namespace

std::string gnuplot_script(const Plot& plot) {
  std::string script = fmt::format(
      "set encoding utf8\n"
      "set terminal svg size 520,340 dynamic noenhanced font 'sans-serif,13.5' linewidth 1.1 "
      "rounded\n"
      "set border 3 linecolor rgb '{0}'\n"
      "set tics nomirror out scale 0.4 textcolor rgb '{0}'\n"
      "set grid xtics ytics linetype 1 linecolor rgb '{1}' linewidth 0.5\n"
      "set key above left horizontal reverse Left samplen 2 width 2 textcolor rgb '{0}'\n"
      "set xlabel 'Epoch' textcolor rgb '{0}'\n"
      "set ylabel {2} textcolor rgb '{0}'\n"
      "set format y '%g'\n",
      hex(kInk), hex(kGrid), gnuplot_text(plot.y_label));
  script += x_axis(epochs_of(plot)) + y_axis(plot);
  std::string bands, lines;
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    if (plot.curves[i].points.empty()) continue;
    script += data_block(plot.curves[i], i);
    bands += band(plot.curves[i], i);
    lines += line(plot.curves[i], i);
  }
  if (lines.empty()) return script;
  std::string elements = bands + lines;
  elements.resize(elements.size() - 2);  // the last comma
  return script + "plot " + elements + '\n';
}

std::string draw(const Plot& plot) {
  return for_page(run_gnuplot(gnuplot_script(plot)), plot.name);
}

}  // namespace digitron
