// The operations as plain loops: a page of mathematics that every engine is checked against. T is
// double for the oracle, float to see what single precision alone costs. All tensors are dense and
// row-major: x (N, C, H, W), w (O, C, K, K) or (O, I), b (O). Outputs first.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "host/core/model.h"
#include "host/shared/dropout.h"

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

// Calls f(index, channel) for the elements of n samples, and returns how many a channel has.
template <class F>
size_t for_each_in_channels(const Shape& shape, int n, F f) {
  for_each_output(shape, n, f);
  return size_t(n) * shape.height * shape.width;
}

// mean (C) and variance (C, biased) of x (N, C, H, W) over all but the channels.
template <class T>
void batchnorm_statistics(T* mean, T* variance, const T* x, const Shape& shape, int n) {
  std::fill_n(mean, shape.channels, T(0));
  std::fill_n(variance, shape.channels, T(0));
  const size_t count = for_each_in_channels(shape, n, [&](size_t i, int c) { mean[c] += x[i]; });
  for (int c = 0; c < shape.channels; ++c) mean[c] /= T(count);
  for_each_in_channels(
      shape, n, [&](size_t i, int c) { variance[c] += (x[i] - mean[c]) * (x[i] - mean[c]); });
  for (int c = 0; c < shape.channels; ++c) variance[c] /= T(count);
}

// y = (x - mean) / sqrt(variance + eps) * w + b, channel by channel.
template <class T>
void batchnorm_forward(T* y, const T* x, const T* mean, const T* variance, const T* w, const T* b,
                       const Shape& shape, int n) {
  for_each_output(shape, n, [&](size_t i, int c) {
    y[i] = (x[i] - mean[c]) / std::sqrt(variance[c] + T(BatchNorm2d::kEpsilon)) * w[c] + b[c];
  });
}

// Where mean and variance are those of x itself; the parameters' gradients are overwritten, and dx
// too.
template <class T>
void batchnorm_backward(T* dx, T* dw, T* db, const T* dy, const T* x, const T* mean,
                        const T* variance, const T* w, const Shape& shape, int n) {
  std::fill_n(dw, shape.channels, T(0));
  std::fill_n(db, shape.channels, T(0));
  const auto deviation = [&](int c) { return std::sqrt(variance[c] + T(BatchNorm2d::kEpsilon)); };
  const size_t count = for_each_in_channels(shape, n, [&](size_t i, int c) {
    db[c] += dy[i];
    dw[c] += dy[i] * (x[i] - mean[c]) / deviation(c);
  });
  for_each_output(shape, n, [&](size_t i, int c) {
    const T normalised = (x[i] - mean[c]) / deviation(c);
    dx[i] = w[c] / deviation(c) * (dy[i] - db[c] / T(count) - normalised * dw[c] / T(count));
  });
}

// What a training step over `count` values a channel makes of the running statistics, all (C). The
// running variance takes the unbiased one.
template <class T>
void batchnorm_update(T* running_mean, T* running_variance, const T* mean, const T* variance,
                      int channels, size_t count) {
  const T share = T(BatchNorm2d::kMomentum);
  for (int c = 0; c < channels; ++c) {
    const T unbiased = variance[c] * T(count) / T(count - 1);
    running_mean[c] += share * (mean[c] - running_mean[c]);
    running_variance[c] += share * (unbiased - running_variance[c]);
  }
}

// y = x times each element's factor; backward is the same with dx and dy. x, y (N, elements).
template <class T>
void dropout(T* y, const T* x, float probability, const DropoutDraw& draw, int elements, int n) {
  const T scale = T(1) / (T(1) - T(probability));
  const auto count = static_cast<uint32_t>(elements);
  for (uint32_t s = 0; s < static_cast<uint32_t>(n); ++s)
    for (uint32_t e = 0; e < count; ++e) {
      const RandomWords words = dropout_words(draw, s * dropout_quads(count) + e / 4);
      const size_t i = size_t{s} * count + e;
      y[i] = x[i] * (dropout_factor(words.word[e % 4], probability, 1.0f) > 0 ? scale : T(0));
    }
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

// All of them for one T. They are compiled once, in reference_ops.cpp, and optimised there whatever
// the flags of the file that calls them.
// clang-format off
#define DIGITRON_REFERENCE_OPS(kind, T)                                                            \
  kind void conv_forward(T*, const T*, const T*, const T*, const Conv2d&, const Shape&,            \
                         const Shape&, int);                                                       \
  kind void conv_backward(T*, T*, T*, const T*, const T*, const T*, const Conv2d&, const Shape&,   \
                          const Shape&, int);                                                      \
  kind void maxpool_forward(T*, size_t*, const T*, const MaxPool2d&, const Shape&, const Shape&,   \
                            int);                                                                  \
  kind void maxpool_backward(T*, const T*, const size_t*, const Shape&, const Shape&, int);        \
  kind void linear_forward(T*, const T*, const T*, const T*, int, int, int);                       \
  kind void linear_backward(T*, T*, T*, const T*, const T*, const T*, int, int, int);              \
  kind void relu_forward(T*, const T*, size_t);                                                    \
  kind void relu_backward(T*, const T*, const T*, size_t);                                         \
  kind void batchnorm_statistics(T*, T*, const T*, const Shape&, int);                             \
  kind void batchnorm_forward(T*, const T*, const T*, const T*, const T*, const T*, const Shape&,  \
                              int);                                                                \
  kind void batchnorm_backward(T*, T*, T*, const T*, const T*, const T*, const T*, const T*,       \
                               const Shape&, int);                                                 \
  kind void batchnorm_update(T*, T*, const T*, const T*, int, size_t);                             \
  kind void dropout(T*, const T*, float, const DropoutDraw&, int, int);                            \
  kind T softmax_cross_entropy(T*, int64_t*, const uint8_t*, int, T)
// clang-format on

DIGITRON_REFERENCE_OPS(extern template, float);
DIGITRON_REFERENCE_OPS(extern template, double);

}  // namespace digitron::reference
