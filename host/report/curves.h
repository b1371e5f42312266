// Figures over epochs as vector pictures.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/report/axes.h"

namespace digitron {

struct CurvePoint {
  int epoch;
  double mean;
  double lowest;
  double highest;
};

// A line through the means, and a band from the lowest to the highest where they differ.
struct Curve {
  std::string title;
  size_t colour = 0;  // of the palette, counted on in a circle
  bool dashed = false;
  std::vector<CurvePoint> points;
};

struct Plot {
  std::string name;  // unique in a document: the picture's ids begin with it
  std::string y_label;
  bool logarithmic = false;  // where every value is positive; linear otherwise
  std::vector<Curve> curves;
  ValueRange range = {};  // of the vertical axis; empty: of the curves
  ValueRange zoom = {};   // what a second panel above shows enlarged; empty: there is none
};

// All values of the curves, bands included.
ValueRange values_of(std::span<const Curve> curves);

// Where the curves of accuracies, say, end up: from the lowest value of the second half of the
// epochs to the highest of all, rounded outwards. Empty where that is most of what they pass
// through, so that there is nothing to enlarge.
ValueRange zoom_of(std::span<const Curve> curves);

// The plot as gnuplot's language. Curves without a point are left out.
std::string gnuplot_script(const Plot& plot);

// The picture as vector_picture makes it. Some curve has a point.
std::string draw(const Plot& plot);

}  // namespace digitron
