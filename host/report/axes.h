// Ranges of figures, and gnuplot's axes over them.
#pragma once

#include <limits>
#include <string>

namespace digitron {

// Of numbers; empty until one is added.
struct ValueRange {
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -std::numeric_limits<double>::infinity();

  void add(double value);
  bool empty() const { return lowest > highest; }
  double span() const { return highest - lowest; }
};

// What is smaller has no power of ten, which axes reckon with.
inline constexpr double kLeastDrawn = 1e-300;

// Whether the ends are finite and apart, by kLeastDrawn and by more than roundings of them.
bool has_span(const ValueRange& range);

// 1, 2 or 5 times a power of ten: the smallest that divides `span` into at most `most` parts.
// Requires has_span.
double tic_step(double span, int most);

// The smallest range of whole steps, of those that `most` parts take, around one with has_span.
ValueRange rounded_out(const ValueRange& range, int most);

// Whole numbers from the first to the last, at most ten of them marked.
std::string epoch_axis(const ValueRange& epochs);

// From the lowest to the highest value, rounded out to tics, of `most` steps or fewer; around the
// lowest one without has_span.
inline constexpr int kMostSteps = 6;
std::string linear_axis(const ValueRange& values, char axis = 'y', int most = kMostSteps);

// From 1, 2 or 5 times a power of ten to another, around values from kLeastDrawn on, with tics
// at such numbers too; the wider the range, the fewer.
std::string logarithmic_axis(const ValueRange& values);

}  // namespace digitron
