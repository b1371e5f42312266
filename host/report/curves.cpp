#include "host/report/curves.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "host/report/vector_picture.h"
#include "host/text/text.h"

namespace digitron {

namespace {

constexpr int kMostMarkedPoints = 40;  // more of them would hide the line
constexpr size_t kMostTitle = 44;

// Of a picture, in pixels. At this width a page of two columns, a phone and half of an A4 page all
// show the text at about its size.
constexpr int kWidth = 420;
constexpr int kPlotHeight = 300;
constexpr int kKeyRow = 21;
constexpr int kAbove = 8;
constexpr int kBelow = 58;  // the numbers and the name of the horizontal axis
constexpr int kBetween = 22;
constexpr double kOverviewShare = 0.4;  // of the height, where there is a zoom

ValueRange epochs_of(std::span<const Curve> curves) {
  ValueRange range;
  for (const Curve& curve : curves)
    for (const CurvePoint& point : curve.points) range.add(point.epoch);
  return range;
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
      index, palette_colour(curve.colour));
}

std::string line(const Curve& curve, size_t index) {
  const bool marked = curve.points.size() <= kMostMarkedPoints;
  return fmt::format("$curve{} using 1:2 with {} linecolor rgb '{}' linewidth 1.7{}{} title {}, ",
                     index, marked ? "linespoints" : "lines", palette_colour(curve.colour),
                     curve.dashed ? " dashtype (6,4)" : "",
                     marked ? " pointtype 7 pointsize 0.5" : "",
                     gnuplot_text(shortened(curve.title, kMostTitle)));
}

// Bands first, so that no line lies under one.
std::string plot_command(std::span<const Curve> curves) {
  std::string bands, lines;
  for (size_t i = 0; i < curves.size(); ++i) {
    if (curves[i].points.empty()) continue;
    bands += band(curves[i], i);
    lines += line(curves[i], i);
  }
  std::string elements = bands + lines;
  elements.resize(elements.size() - 2);  // the last comma
  return "plot " + elements + '\n';
}

// Short titles share a row of the key, long ones have one each.
int key_rows(std::span<const Curve> curves) {
  constexpr size_t kMostInARow = 34;
  size_t letters = 0;
  for (const Curve& curve : curves) letters += curve.points.empty() ? 0 : curve.title.size();
  return letters <= kMostInARow ? 1 : static_cast<int>(curves.size());
}

// The edges of a panel in pixels, counted from the bottom of the picture.
std::string edges(int bottom, int top, int height) {
  return fmt::format("set bmargin at screen {}\nset tmargin at screen {}\n",
                     static_cast<double>(bottom) / height, static_cast<double>(top) / height);
}

std::string value_axis(const Plot& plot) {
  const ValueRange values = plot.range.empty() ? values_of(plot.curves) : plot.range;
  const bool logarithmic = plot.logarithmic && values.lowest >= kLeastDrawn;
  return logarithmic ? logarithmic_axis(values) : linear_axis(values);
}

// The zoom with the key, and below it the overview, in which a grey field says what is enlarged.
std::string panels(const Plot& plot, int height, int top) {
  const std::string command = plot_command(plot.curves);
  const std::string name =
      fmt::format("set xlabel 'Epoch' offset 0,0.8 textcolor rgb '{}'\n", ink_colour());
  if (plot.zoom.empty()) return edges(kBelow, top, height) + name + value_axis(plot) + command;
  const int overview_top = kBelow + static_cast<int>(kOverviewShare * kPlotHeight);
  return "set multiplot\n" + edges(overview_top + kBetween, top, height) + "set format x ''\n" +
         linear_axis(plot.zoom) + command + "unset key\nset format x '%g'\n" +
         edges(kBelow, overview_top, height) + name + value_axis(plot) +
         fmt::format(
             "set object 1 rectangle from graph 0,first {} to graph 1,first {} fillcolor "
             "rgb '{}' fillstyle solid 0.6 noborder behind\n",
             plot.zoom.lowest, plot.zoom.highest, grid_colour()) +
         command + "unset multiplot\n";
}

}  // namespace

ValueRange values_of(std::span<const Curve> curves) {
  ValueRange range;
  for (const Curve& curve : curves) {
    for (const CurvePoint& point : curve.points) {
      range.add(point.lowest);
      range.add(point.highest);
    }
  }
  return range;
}

ValueRange zoom_of(std::span<const Curve> curves) {
  constexpr double kMostShare = 0.5;
  const ValueRange epochs = epochs_of(curves);
  const ValueRange all = values_of(curves);
  ValueRange late;
  late.add(all.highest);
  for (const Curve& curve : curves) {
    for (const CurvePoint& point : curve.points) {
      if (point.epoch - epochs.lowest >= epochs.span() / 2) late.add(point.lowest);
    }
  }
  if (!has_span(late) || !has_span(all)) return {};
  const ValueRange zoom = rounded_out(late, kMostSteps);
  return zoom.span() <= kMostShare * all.span() ? zoom : ValueRange{};
}

std::string gnuplot_script(const Plot& plot) {
  const int height = kBelow + kPlotHeight + kKeyRow * key_rows(plot.curves) + kAbove;
  std::string script =
      picture_setup(kWidth, height) + "set lmargin at screen 0.17\nset rmargin at screen 0.965\n" +
      fmt::format("set ylabel {} textcolor rgb '{}'\n", gnuplot_text(plot.y_label), ink_colour());
  script += fmt::format("set key at screen 0.17,{} left top {}\n", 1 - 4.0 / height,
                        key_rows(plot.curves) > 1 ? "vertical maxcols 1" : "horizontal");
  const ValueRange epochs = epochs_of(plot.curves);
  if (epochs.empty()) return script;
  script += epoch_axis(epochs);
  for (size_t i = 0; i < plot.curves.size(); ++i) {
    if (!plot.curves[i].points.empty()) script += data_block(plot.curves[i], i);
  }
  return script + panels(plot, height, kBelow + kPlotHeight);
}

std::string draw(const Plot& plot) {
  return vector_picture(gnuplot_script(plot), plot.name);
}

}  // namespace digitron
