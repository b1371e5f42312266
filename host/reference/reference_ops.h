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

// Calls f(y index, x index) for every value of every window, in row-major order.
template <class Pool, class F>
void for_each_window_value(const Pool& pool, const Shape& in, const Shape& out, int n, F f) {
  for_each_output({out.channels * n, out.height, out.width}, 1, [&](size_t i, int plane) {
    const int position = static_cast<int>(i % size_t(out.plane()));
    const int row = position / out.width * pool.stride;
    const int column = position % out.width * pool.stride;
    for (int a = 0; a < pool.kernel; ++a)
      for (int b = 0; b < pool.kernel; ++b)
        f(i, (size_t(plane) * in.height + row + a) * in.width + column + b);
  });
}

// winner: the index into x of the largest value in the window of each output; of equal ones the
// first in row-major order, as in PyTorch.
template <class T>
void maxpool_forward(T* y, size_t* winner, const T* x, const MaxPool2d& pool, const Shape& in,
                     const Shape& out, int n) {
  constexpr size_t kNone = ~size_t{0};
  std::fill_n(winner, size_t(n) * out.count(), kNone);
  for_each_window_value(pool, in, out, n, [&](size_t i, size_t j) {
    if (winner[i] == kNone || x[j] > x[winner[i]]) winner[i] = j;
  });
  for (size_t i = 0; i < size_t(n) * out.count(); ++i) y[i] = x[winner[i]];
}

template <class T>
void maxpool_backward(T* dx, const T* dy, const size_t* winner, const Shape& in, const Shape& out,
                      int n) {
  std::fill_n(dx, size_t(n) * in.count(), T(0));
  for (size_t i = 0; i < size_t(n) * out.count(); ++i) dx[winner[i]] += dy[i];
}

template <class T>
void avgpool_forward(T* y, const T* x, const AvgPool2d& pool, const Shape& in, const Shape& out,
                     int n) {
  const T values = T(pool.kernel * pool.kernel);
  std::fill_n(y, size_t(n) * out.count(), T(0));
  for_each_window_value(pool, in, out, n, [&](size_t i, size_t j) { y[i] += x[j] / values; });
}

template <class T>
void avgpool_backward(T* dx, const T* dy, const AvgPool2d& pool, const Shape& in, const Shape& out,
                      int n) {
  const T values = T(pool.kernel * pool.kernel);
  std::fill_n(dx, size_t(n) * in.count(), T(0));
  for_each_window_value(pool, in, out, n, [&](size_t i, size_t j) { dx[j] += dy[i] / values; });
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
// classes; `correct` counts samples whose first largest logit is the label's. logits (n, classes)
// become the gradient of the mean loss, (softmax - t) / n.
template <class T>
T softmax_cross_entropy(T* logits, int64_t* correct, const uint8_t* labels, int n, int classes,
                        T smoothing = 0) {
  T loss = 0;
  *correct = 0;
  for (int s = 0; s < n; ++s) {
    T* z = logits + size_t(s) * size_t(classes);
    const int best = static_cast<int>(std::max_element(z, z + classes) - z);
    const T top = z[best];
    T sum = 0;
    for (int c = 0; c < classes; ++c) sum += std::exp(z[c] - top);
    *correct += best == labels[s];
    for (int c = 0; c < classes; ++c) {
      const T target = smoothing / T(classes) + (c == labels[s] ? 1 - smoothing : T(0));
      if (target > 0) loss += target * (std::log(sum) + top - z[c]);
      z[c] = (std::exp(z[c] - top) / sum - target) / T(n);
    }
  }
  return loss;
}

// Mean and variance of the channels, (C) each.
template <class T>
struct ChannelStatistics {
  T* mean = nullptr;
  T* variance = nullptr;
};

// What one layer works on in one pass of n samples. What a layer does not have is null.
template <class T>
struct Operands {
  Shape in, out;
  int n;
  bool training;  // else evaluation: running statistics, and nothing is dropped
  const T* x;     // (n, in)
  T* y;           // (n, out)
  const T* dy;
  T* dx;
  const T *w, *b;
  T *dw, *db;
  size_t* winner;  // (n, out)
  ChannelStatistics<T> running, batch;
  DropoutDraw draw;

  size_t elements() const { return static_cast<size_t>(n) * in.count(); }
};

// One operation for each kind of layer: a kind without one does not compile.
template <class T>
struct Forward {
  const Operands<T>& o;

  void operator()(const Conv2d& conv) const {
    conv_forward(o.y, o.x, o.w, o.b, conv, o.in, o.out, o.n);
  }
  void operator()(const MaxPool2d& pool) const {
    maxpool_forward(o.y, o.winner, o.x, pool, o.in, o.out, o.n);
  }
  void operator()(const AvgPool2d& pool) const {
    avgpool_forward(o.y, o.x, pool, o.in, o.out, o.n);
  }
  void operator()(const Linear&) const {
    linear_forward(o.y, o.x, o.w, o.b, o.in.count(), o.out.count(), o.n);
  }
  void operator()(const ReLU&) const { relu_forward(o.y, o.x, o.elements()); }
  void operator()(const BatchNorm2d&) const {
    if (o.training) batchnorm_statistics(o.batch.mean, o.batch.variance, o.x, o.in, o.n);
    const ChannelStatistics<T>& used = o.training ? o.batch : o.running;
    batchnorm_forward(o.y, o.x, used.mean, used.variance, o.w, o.b, o.in, o.n);
  }
  void operator()(const Dropout& layer) const {
    dropout(o.y, o.x, o.training ? layer.probability : 0.0f, o.draw, o.in.count(), o.n);
  }
};

// After a forward pass in training.
template <class T>
struct Backward {
  const Operands<T>& o;

  void operator()(const Conv2d& conv) const {
    conv_backward(o.dx, o.dw, o.db, o.dy, o.x, o.w, conv, o.in, o.out, o.n);
  }
  void operator()(const MaxPool2d&) const {
    maxpool_backward(o.dx, o.dy, o.winner, o.in, o.out, o.n);
  }
  void operator()(const AvgPool2d& pool) const {
    avgpool_backward(o.dx, o.dy, pool, o.in, o.out, o.n);
  }
  void operator()(const Linear&) const {
    linear_backward(o.dx, o.dw, o.db, o.dy, o.x, o.w, o.in.count(), o.out.count(), o.n);
  }
  void operator()(const ReLU&) const { relu_backward(o.dx, o.dy, o.y, o.elements()); }
  void operator()(const BatchNorm2d&) const {
    batchnorm_backward(o.dx, o.dw, o.db, o.dy, o.x, o.batch.mean, o.batch.variance, o.w, o.in, o.n);
  }
  void operator()(const Dropout& layer) const {
    dropout(o.dx, o.dy, layer.probability, o.draw, o.in.count(), o.n);
  }
};

}  // namespace digitron::reference
