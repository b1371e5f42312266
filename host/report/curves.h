// Figures over epochs as vector pictures.
#pragma once

#include <string>
#include <vector>

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
};

// The plot as gnuplot's language. Curves without a point are left out.
std::string gnuplot_script(const Plot& plot);

// The picture as SVG, without fonts, links or scripts. Colours are var(--ink, ...), var(--grid,
// ...) and var(--curve-1, ...), so that a page can set them; on its own it has dark ink and needs
// a light ground. Throws MachineError as run_gnuplot does.
std::string draw(const Plot& plot);

}  // namespace digitron
