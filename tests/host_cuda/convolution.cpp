#include "tests/host_cuda/convolution.h"

namespace host_cuda {
namespace {

size_t volume(const Dims& dims) {
  size_t count = 1;
  for (const int d : dims) count *= static_cast<size_t>(d);
  return count;
}

size_t index(const Dims& dims, int a, int b, int c, int d) {
  const auto at = [](int i) { return static_cast<size_t>(i); };
  return ((at(a) * at(dims[1]) + at(b)) * at(dims[2]) + at(c)) * at(dims[3]) + at(d);
}

// visit(x index, w index, y index) for every product of image n.
template <typename Visit>
void for_each_product(const Convolution& c, int n, Visit visit) {
  const cudnnConvolutionStruct& d = c.descriptor;
  const bool flip = d.mode == CUDNN_CONVOLUTION;
  for (int k = 0; k < c.y[1]; ++k)
    for (int i = 0; i < c.y[2]; ++i)
      for (int j = 0; j < c.y[3]; ++j) {
        const size_t y = index(c.y, n, k, i, j);
        for (int channel = 0; channel < c.x[1]; ++channel)
          for (int r = 0; r < c.w[2]; ++r) {
            const int row = i * d.stride_h - d.pad_h + r * d.dilation_h;
            if (row < 0 || row >= c.x[2]) continue;
            for (int s = 0; s < c.w[3]; ++s) {
              const int column = j * d.stride_w - d.pad_w + s * d.dilation_w;
              if (column < 0 || column >= c.x[3]) continue;
              const int wr = flip ? c.w[2] - 1 - r : r;
              const int ws = flip ? c.w[3] - 1 - s : s;
              visit(index(c.x, n, channel, row, column), index(c.w, k, channel, wr, ws), y);
            }
          }
      }
}

void round_inputs(const Convolution& c, std::vector<float>& a, std::vector<float>& b) {
  if (!c.tf32()) return;
  std::transform(a.begin(), a.end(), a.begin(), round_tf32);
  std::transform(b.begin(), b.end(), b.begin(), round_tf32);
}

bool is_square_of(int kernel, const Convolution& c) {
  return c.w[2] == kernel && c.w[3] == kernel && c.descriptor.stride_h == 1 &&
         c.descriptor.stride_w == 1;
}

}  // namespace

Dims output_dims(const cudnnConvolutionStruct& d, const Dims& x, const Dims& w) {
  const auto extent = [](int in, int pad, int kernel, int dilation, int stride) {
    return 1 + (in + 2 * pad - ((kernel - 1) * dilation + 1)) / stride;
  };
  return {x[0], w[0], extent(x[2], d.pad_h, w[2], d.dilation_h, d.stride_h),
          extent(x[3], d.pad_w, w[3], d.dilation_w, d.stride_w)};
}

std::optional<Convolution> match(cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                                 cudnnConvolutionDescriptor_t conv, cudnnTensorDescriptor_t y) {
  if (!ready(x) || !ready(w) || !ready(conv) || !ready(y)) return std::nullopt;
  if (x->dims[1] != w->dims[1] || y->dims != output_dims(*conv, x->dims, w->dims))
    return std::nullopt;
  return Convolution{*conv, x->dims, w->dims, y->dims};
}

std::vector<float> convolve(const Convolution& c, std::vector<float> x, std::vector<float> w) {
  round_inputs(c, x, w);
  std::vector<float> y(volume(c.y), 0.0f);
  for (int n = 0; n < c.x[0]; ++n)
    for_each_product(c, n, [&](size_t xi, size_t wi, size_t yi) { y[yi] += x[xi] * w[wi]; });
  return y;
}

std::vector<float> convolve_backward_data(const Convolution& c, std::vector<float> dy,
                                          std::vector<float> w, bool reversed) {
  round_inputs(c, dy, w);
  std::vector<float> dx(volume(c.x), 0.0f);
  std::vector<std::pair<size_t, float>> products;
  for (int n = 0; n < c.x[0]; ++n) {
    if (!reversed) {
      for_each_product(c, n, [&](size_t xi, size_t wi, size_t yi) { dx[xi] += dy[yi] * w[wi]; });
      continue;
    }
    products.clear();
    for_each_product(
        c, n, [&](size_t xi, size_t wi, size_t yi) { products.emplace_back(xi, dy[yi] * w[wi]); });
    for (size_t i = products.size(); i-- > 0;) dx[products[i].first] += products[i].second;
  }
  return dx;
}

std::vector<float> convolve_backward_filter(const Convolution& c, std::vector<float> x,
                                            std::vector<float> dy, int first_image) {
  round_inputs(c, x, dy);
  std::vector<float> dw(volume(c.w), 0.0f);
  for (int i = 0; i < c.x[0]; ++i)
    for_each_product(c, (first_image + i) % c.x[0],
                     [&](size_t xi, size_t wi, size_t yi) { dw[wi] += x[xi] * dy[yi]; });
  return dw;
}

std::vector<Algorithm> algorithms(Direction direction, const Convolution& c) {
  const size_t filter_bytes = volume(c.w) * sizeof(float);
  const size_t unrolled_bytes = filter_bytes / static_cast<size_t>(c.w[0]) *
                                static_cast<size_t>(c.y[2]) * static_cast<size_t>(c.y[3]);
  const bool winograd = is_square_of(3, c);
  const bool nonfused = winograd || is_square_of(5, c);
  switch (direction) {
    case Direction::kForward:
      return {{CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED, true, nonfused, filter_bytes, true},
              {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, true, true, filter_bytes},
              {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, true, true, 0},
              {CUDNN_CONVOLUTION_FWD_ALGO_GEMM, true, true, unrolled_bytes},
              {CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD, true, winograd, filter_bytes},
              {CUDNN_CONVOLUTION_FWD_ALGO_FFT, true, false, 0},
              {CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, true, false, 0}};
    case Direction::kBackwardData:
      return {
          {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, false, true, 0},
          {CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED, true, nonfused, filter_bytes, true},
          {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, true, true, filter_bytes},
          {CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD, true, winograd, filter_bytes},
          {CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT, true, false, 0}};
    case Direction::kBackwardFilter:
      break;
  }
  return {{CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, false, true, 0},
          {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED, true, nonfused, filter_bytes, true},
          {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, false, true, filter_bytes},
          {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, true, true, unrolled_bytes},
          {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT, true, false, 0}};
}

std::optional<Algorithm> find_algorithm(Direction direction, const Convolution& c, int id) {
  for (const Algorithm& algorithm : algorithms(direction, c))
    if (algorithm.id == id && algorithm.supported) return algorithm;
  return std::nullopt;
}

}  // namespace host_cuda
