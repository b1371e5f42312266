// The operations as plain loops: a page of mathematics that every engine is checked against. T is
// double for the oracle, float to see what single precision alone costs. All tensors are dense and
// row-major: x (N, C, H, W), w (O, C, K, K) or (O, I), b (O). Outputs first.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "host/model.h"

namespace digitron::reference {

// Calls f(y index, x index, w index) for every product of a convolution of n samples:
// y[n][o][p][q] = sum over c, i, j of w[o][c][i][j] * x[n][c][p * stride + i - pad][q * stride + j
// - pad].
template <class F>
void for_each_product(const Conv2d& conv, const Shape& in, const Shape& out, int n, F f) {
  const int k = conv.kernel;
  for (int s = 0; s < n; ++s)
    for (int o = 0; o < out.channels; ++o)
      for (int p = 0; p < out.height; ++p)
        for (int q = 0; q < out.width; ++q)
          for (int c = 0; c < in.channels; ++c)
            for (int i = 0; i < k; ++i)
              for (int j = 0; j < k; ++j) {
                const int row = p * conv.stride + i - conv.padding;
                const int column = q * conv.stride + j - conv.padding;
                if (row < 0 || row >= in.height || column < 0 || column >= in.width) continue;
                f(((size_t(s) * out.channels + o) * out.height + p) * out.width + q,
                  ((size_t(s) * in.channels + c) * in.height + row) * in.width + column,
                  ((size_t(o) * in.channels + c) * k + i) * k + j);
              }
}

// Calls f(y index, channel) for every output of n samples.
template <class F>
void for_each_output(const Shape& out, int n, F f) {
  size_t index = 0;
  for (int s = 0; s < n; ++s)
    for (int o = 0; o < out.channels; ++o)
      for (int p = 0; p < out.height * out.width; ++p) f(index++, o);
}

template <class T>
void conv_forward(T* y, const T* x, const T* w, const T* b, const Conv2d& conv, const Shape& in,
                  const Shape& out, int n) {
  for_each_output(out, n, [&](size_t i, int o) { y[i] = b[o]; });
  for_each_product(conv, in, out, n, [&](size_t i, size_t j, size_t k) { y[i] += w[k] * x[j]; });
}

// dw, db are overwritten; dx too, unless it is null.
template <class T>
void conv_backward(T* dx, T* dw, T* db, const T* dy, const T* x, const T* w, const Conv2d& conv,
                   const Shape& in, const Shape& out, int n) {
  std::fill_n(dw, size_t(out.channels) * in.channels * conv.kernel * conv.kernel, T(0));
  std::fill_n(db, out.channels, T(0));
  for_each_output(out, n, [&](size_t i, int o) { db[o] += dy[i]; });
  for_each_product(conv, in, out, n, [&](size_t i, size_t j, size_t k) { dw[k] += dy[i] * x[j]; });
  if (!dx) return;
  std::fill_n(dx, size_t(n) * in.count(), T(0));
  for_each_product(conv, in, out, n, [&](size_t i, size_t j, size_t k) { dx[j] += dy[i] * w[k]; });
}

// The index into x of the largest value in the window of each output; of equal ones the first in
// row-major order, as in PyTorch.
template <class T>
void maxpool_forward(T* y, size_t* winner, const T* x, const MaxPool2d& pool, const Shape& in,
                     const Shape& out, int n) {
  size_t index = 0;
  for (int plane = 0; plane < n * in.channels; ++plane)
    for (int p = 0; p < out.height; ++p)
      for (int q = 0; q < out.width; ++q, ++index) {
        const size_t corner =
            (size_t(plane) * in.height + p * pool.stride) * in.width + q * pool.stride;
        winner[index] = corner;
        for (int i = 0; i < pool.kernel; ++i)
          for (int j = 0; j < pool.kernel; ++j) {
            const size_t candidate = corner + size_t(i) * in.width + j;
            if (x[candidate] > x[winner[index]]) winner[index] = candidate;
          }
        y[index] = x[winner[index]];
      }
}

template <class T>
void maxpool_backward(T* dx, const T* dy, const size_t* winner, const Shape& in, const Shape& out,
                      int n) {
  std::fill_n(dx, size_t(n) * in.count(), T(0));
  for (size_t i = 0; i < size_t(n) * out.count(); ++i) dx[winner[i]] += dy[i];
}

// y (n, o) = x (n, i) times w (o, i) transposed, plus b (o).
template <class T>
void linear_forward(T* y, const T* x, const T* w, const T* b, int inputs, int outputs, int n) {
  for (int s = 0; s < n; ++s)
    for (int o = 0; o < outputs; ++o) {
      T sum = b[o];
      for (int i = 0; i < inputs; ++i) sum += w[size_t(o) * inputs + i] * x[size_t(s) * inputs + i];
      y[size_t(s) * outputs + o] = sum;
    }
}

// dw, db are overwritten; dx too, unless it is null.
template <class T>
void linear_backward(T* dx, T* dw, T* db, const T* dy, const T* x, const T* w, int inputs,
                     int outputs, int n) {
  std::fill_n(dw, size_t(outputs) * inputs, T(0));
  std::fill_n(db, outputs, T(0));
  if (dx) std::fill_n(dx, size_t(n) * inputs, T(0));
  for (int s = 0; s < n; ++s)
    for (int o = 0; o < outputs; ++o) {
      const T d = dy[size_t(s) * outputs + o];
      db[o] += d;
      for (int i = 0; i < inputs; ++i) {
        dw[size_t(o) * inputs + i] += d * x[size_t(s) * inputs + i];
        if (dx) dx[size_t(s) * inputs + i] += d * w[size_t(o) * inputs + i];
      }
    }
}

template <class T>
void relu_forward(T* y, const T* x, size_t count) {
  for (size_t i = 0; i < count; ++i) y[i] = x[i] > 0 || std::isnan(x[i]) ? x[i] : T(0);
}

template <class T>
void relu_backward(T* dx, const T* dy, const T* y, size_t count) {
  for (size_t i = 0; i < count; ++i) dx[i] = y[i] > 0 ? dy[i] : T(0);
}

// The sum of the losses over n samples against targets t = (1 - smoothing) * one-hot + smoothing /
// kClasses; `correct` counts samples whose first largest logit is the label's. logits (n, kClasses)
// become the gradient of the mean loss, (softmax - t) / n.
template <class T>
T softmax_cross_entropy(T* logits, int64_t* correct, const uint8_t* labels, int n,
                        T smoothing = 0) {
  T loss = 0;
  *correct = 0;
  for (int s = 0; s < n; ++s) {
    T* z = logits + size_t(s) * kClasses;
    const int best = static_cast<int>(std::max_element(z, z + kClasses) - z);
    const T top = z[best];
    T sum = 0;
    for (int c = 0; c < kClasses; ++c) sum += std::exp(z[c] - top);
    *correct += best == labels[s];
    for (int c = 0; c < kClasses; ++c) {
      const T target = smoothing / kClasses + (c == labels[s] ? 1 - smoothing : T(0));
      if (target > 0) loss += target * (std::log(sum) + top - z[c]);
      z[c] = (std::exp(z[c] - top) / sum - target) / T(n);
    }
  }
  return loss;
}

}  // namespace digitron::reference
