// The matrices of Winograd's filtering (winograd.h), and what they make of weights.
#pragma once

#include "host/cpu/tensor.h"

namespace digitron::DIGITRON_ISA {

// A WinogradForm at compile time.
template <int Taps, int Outputs>
struct FixedForm {
  static constexpr int kTaps = Taps;
  static constexpr int kOutputs = Outputs;
  static constexpr int kPoints = WinogradForm{Taps, Outputs}.points();
};

// The matrices, by Toom's and Cook's way: polynomials are multiplied by their values at points, of
// which the last is at infinity, and the first at 0 where the others would not be pairs. Pairs p
// and -p share the even and the odd part of what they sum.
template <int kPoints>
inline constexpr int kFirstPair = 1 - kPoints % 2;

template <class Form>
struct Matrices {
  static constexpr int kPoints = Form::kPoints;
  float input[kPoints][kPoints] = {};          // B^T
  float weights[kPoints][Form::kTaps] = {};    // G
  float output[kPoints][Form::kOutputs] = {};  // A

  // Point k: of all choices of few bits those whose matrices' rows have the least norms, and so the
  // least rounding errors.
  static constexpr double at(int k) {
    constexpr double kPairs[][4] = {// of 6 to 9 points
                                    {0.625, 1.5},
                                    {0.25, 0.875, 2},
                                    {0.5, 1, 2},
                                    {0.25, 0.625, 1.25, 2.5}};
    const int in_pairs = k - kFirstPair<kPoints>;
    if (in_pairs < 0) return 0;
    const double p = kPairs[kPoints - 6][in_pairs / 2];
    return in_pairs % 2 == 0 ? p : -p;
  }

  constexpr Matrices() {
    constexpr int kFinite = kPoints - 1;
    for (int k = 0; k < kPoints; ++k) {
      // The product of x - q over the other points q: its coefficients, and what it is at this one.
      // Without the point 0 those of p and -p have opposite even parts; -p's is negated.
      double roots[kPoints] = {kFirstPair<kPoints> == 0 && k < kFinite && at(k) < 0 ? -1.0 : 1.0};
      double value = roots[0];
      for (int other = 0, degree = 0; other < kFinite; ++other) {
        if (other == k) continue;
        ++degree;
        for (int j = degree; j > 0; --j) roots[j] = roots[j - 1] - at(other) * roots[j];
        roots[0] *= -at(other);
        if (k < kFinite) value *= at(k) - at(other);
      }
      for (int j = 0; j < kPoints; ++j) input[k][j] = static_cast<float>(roots[j]);
      if (k == kFinite) continue;
      double power = 1;
      for (int j = 0; j < Form::kTaps; ++j, power *= at(k)) {
        weights[k][j] = static_cast<float>(power / value);
      }
      power = 1;
      for (int j = 0; j < Form::kOutputs; ++j, power *= at(k)) {
        output[k][j] = static_cast<float>(power);
      }
    }
    weights[kFinite][Form::kTaps - 1] = output[kFinite][Form::kOutputs - 1] = 1;
  }
};

template <class Form>
inline constexpr Matrices<Form> kMatrices{};

// A kernel row at point k.
template <class Form>
inline float weight_at(int k, const float* row) {
  float sum = 0;
  for (int j = 0; j < Form::kTaps; ++j) sum += kMatrices<Form>.weights[k][j] * row[j];
  return sum;
}

template <class Form>
void winograd_points_rows(float* u, const float* w, int rows) {
  for (int row = 0; row < rows; ++row, w += Form::kTaps)
    for (int k = 0; k < Form::kPoints; ++k) *u++ = weight_at<Form>(k, w);
}

// u (points, C, taps, O) and its counterpart for the way back, (points, O, taps, C), of w (O, C,
// taps, taps).
template <class Form>  // NOLINTNEXTLINE(readability-non-const-parameter): both are written to
void winograd_weights_rows(float* u, float* u_back, const float* w, int outputs, int inputs) {
  for (int k = 0; k < Form::kPoints; ++k)
    for (int o = 0; o < outputs; ++o)
      for (int c = 0; c < inputs; ++c)
        for (int i = 0; i < Form::kTaps; ++i) {
          const int row = (o * inputs + c) * Form::kTaps + i;
          const float weight = weight_at<Form>(k, w + row * Form::kTaps);
          u[((k * inputs + c) * Form::kTaps + i) * outputs + o] = weight;
          u_back[((k * outputs + o) * Form::kTaps + i) * inputs + c] = weight;
        }
}

template <class Form>
void winograd_weight_gradient_rows(float* dw, const float* du, std::ptrdiff_t point_stride,
                                   int rows) {
  for (int row = 0; row < rows; ++row, dw += Form::kTaps) {
    for (int j = 0; j < Form::kTaps; ++j) {
      float sum = 0;
      for (int k = 0; k < Form::kPoints; ++k)
        sum += kMatrices<Form>.weights[k][j] * du[k * point_stride + row];
      dw[j] = sum;
    }
  }
}

}  // namespace digitron::DIGITRON_ISA
