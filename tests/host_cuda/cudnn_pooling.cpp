// Max and average pooling by plain loops.
#include <limits>

#include "tests/host_cuda/cudnn_descriptors.h"

using namespace host_cuda;

namespace {

struct PoolGeometry {
  cudnnPoolingStruct pool;
  Dims in;
  Dims out;

  bool is_max() const {
    return pool.mode == CUDNN_POOLING_MAX || pool.mode == CUDNN_POOLING_MAX_DETERMINISTIC;
  }
  size_t inputs() const { return static_cast<size_t>(in[0] * in[1]) * plane_in(); }
  size_t outputs() const { return static_cast<size_t>(out[0] * out[1]) * plane_out(); }
  size_t plane_in() const { return static_cast<size_t>(in[2] * in[3]); }
  size_t plane_out() const { return static_cast<size_t>(out[2] * out[3]); }
};

Dims pooled(const cudnnPoolingStruct& p, const Dims& in) {
  return {in[0], in[1], 1 + (in[2] + 2 * p.pad_h - p.window_h) / p.stride_h,
          1 + (in[3] + 2 * p.pad_w - p.window_w) / p.stride_w};
}

// visit(input, output) for the dense indices of every pair that a window joins, row by row.
template <typename Visit>
void for_each_pair(const PoolGeometry& g, Visit visit) {
  for (size_t output = 0; output < g.outputs(); ++output) {
    const size_t plane = output / g.plane_out();
    const int position = static_cast<int>(output % g.plane_out());
    const int top = position / g.out[3] * g.pool.stride_h - g.pool.pad_h;
    const int left = position % g.out[3] * g.pool.stride_w - g.pool.pad_w;
    for (int y = std::max(top, 0); y < std::min(top + g.pool.window_h, g.in[2]); ++y)
      for (int x = std::max(left, 0); x < std::min(left + g.pool.window_w, g.in[3]); ++x)
        visit(plane * g.plane_in() + static_cast<size_t>(y * g.in[3] + x), output);
  }
}

// Does a take b's place as the largest? The first of equals stays.
bool beats(float a, float b, cudnnNanPropagation_t nan) {
  const bool propagate = nan == CUDNN_PROPAGATE_NAN;
  return a > b || (propagate && std::isnan(a) && !std::isnan(b)) ||
         (!propagate && std::isnan(b) && !std::isnan(a));
}

// The input that each output took.
std::vector<size_t> winners(const PoolGeometry& g, const std::vector<float>& x) {
  constexpr size_t kNone = std::numeric_limits<size_t>::max();
  std::vector<size_t> winner(g.outputs(), kNone);
  for_each_pair(g, [&](size_t input, size_t output) {
    size_t& best = winner[output];
    if (best == kNone || beats(x[input], x[best], g.pool.nan)) best = input;
  });
  return winner;
}

// By how many elements each output's window is divided.
std::vector<float> divisors(const PoolGeometry& g) {
  if (g.pool.mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING)
    return std::vector<float>(g.outputs(), static_cast<float>(g.pool.window_h * g.pool.window_w));
  std::vector<float> counts(g.outputs(), 0.0f);
  for_each_pair(g, [&](size_t, size_t output) { counts[output] += 1; });
  return counts;
}

std::vector<float> forward(const PoolGeometry& g, const std::vector<float>& x) {
  std::vector<float> y(g.outputs(), 0.0f);
  if (g.is_max()) {
    const std::vector<size_t> winner = winners(g, x);
    for (size_t i = 0; i < y.size(); ++i) y[i] = x[winner[i]];
    return y;
  }
  const std::vector<float> divisor = divisors(g);
  for_each_pair(g, [&](size_t input, size_t output) { y[output] += x[input] / divisor[output]; });
  return y;
}

std::vector<float> backward(const PoolGeometry& g, const std::vector<float>& dy,
                            const std::vector<float>& x) {
  std::vector<float> dx(g.inputs(), 0.0f);
  if (g.is_max()) {
    const std::vector<size_t> winner = winners(g, x);
    for (size_t i = 0; i < dy.size(); ++i) dx[winner[i]] += dy[i];
    return dx;
  }
  const std::vector<float> divisor = divisors(g);
  for_each_pair(g, [&](size_t input, size_t output) { dx[input] += dy[output] / divisor[output]; });
  return dx;
}

bool descriptors_match(cudnnPoolingDescriptor_t pool, cudnnTensorDescriptor_t x,
                       cudnnTensorDescriptor_t y) {
  return ready(pool) && ready(x) && ready(y) && y->dims == pooled(*pool, x->dims);
}

}  // namespace

cudnnStatus_t cudnnSetPooling2dDescriptor(cudnnPoolingDescriptor_t pool, cudnnPoolingMode_t mode,
                                          cudnnNanPropagation_t nan, int window_h, int window_w,
                                          int pad_h, int pad_w, int stride_h, int stride_w) {
  return cudnn_call("cudnnSetPooling2dDescriptor", [&] {
    if (!handles<cudnnPoolingStruct>().owns(pool) || window_h < 1 || window_w < 1 || pad_h < 0 ||
        pad_w < 0 || pad_h >= window_h || pad_w >= window_w || stride_h < 1 || stride_w < 1)
      return bad_parameter("cudnnSetPooling2dDescriptor", "a window, padding or stride");
    *pool = {true, mode, nan, window_h, window_w, pad_h, pad_w, stride_h, stride_w};
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnGetPooling2dForwardOutputDim(cudnnPoolingDescriptor_t pool,
                                                cudnnTensorDescriptor_t x, int* n, int* c, int* h,
                                                int* w) {
  return cudnn_call("cudnnGetPooling2dForwardOutputDim", [&] {
    if (!ready(pool) || !ready(x)) return CUDNN_STATUS_BAD_PARAM;
    const Dims out = pooled(*pool, x->dims);
    *n = out[0];
    *c = out[1];
    *h = out[2];
    *w = out[3];
    return CUDNN_STATUS_SUCCESS;
  });
}

cudnnStatus_t cudnnPoolingForward(cudnnHandle_t handle, cudnnPoolingDescriptor_t pool,
                                  const void* alpha, cudnnTensorDescriptor_t x_desc, const void* x,
                                  const void* beta, cudnnTensorDescriptor_t y_desc, void* y) {
  return cudnn_call("cudnnPoolingForward", [&] {
    if (!descriptors_match(pool, x_desc, y_desc))
      return bad_parameter("cudnnPoolingForward", "descriptors that do not match");
    const auto run = [g = PoolGeometry{*pool, x_desc->dims, y_desc->dims}, xd = *x_desc,
                      yd = *y_desc, x, y](float a, float b) {
      scatter(yd, static_cast<float*>(y), forward(g, gather(xd, static_cast<const float*>(x))), a,
              b);
    };
    return submit_cudnn({"cudnnPoolingForward",
                         handle,
                         alpha,
                         beta,
                         floats(y, y_desc->span()),
                         {floats(x, x_desc->span())},
                         false},
                        run);
  });
}

cudnnStatus_t cudnnPoolingBackward(cudnnHandle_t handle, cudnnPoolingDescriptor_t pool,
                                   const void* alpha, cudnnTensorDescriptor_t y_desc, const void* y,
                                   cudnnTensorDescriptor_t dy_desc, const void* dy,
                                   cudnnTensorDescriptor_t x_desc, const void* x, const void* beta,
                                   cudnnTensorDescriptor_t dx_desc, void* dx) {
  return cudnn_call("cudnnPoolingBackward", [&] {
    if (!descriptors_match(pool, x_desc, y_desc) || !ready(dy_desc) || !ready(dx_desc) ||
        dy_desc->dims != y_desc->dims || dx_desc->dims != x_desc->dims)
      return bad_parameter("cudnnPoolingBackward", "descriptors that do not match");
    const auto run = [g = PoolGeometry{*pool, x_desc->dims, y_desc->dims}, dyd = *dy_desc,
                      xd = *x_desc, dxd = *dx_desc, dy, x, dx](float a, float b) {
      scatter(dxd, static_cast<float*>(dx),
              backward(g, gather(dyd, static_cast<const float*>(dy)),
                       gather(xd, static_cast<const float*>(x))),
              a, b);
    };
    return submit_cudnn(
        {"cudnnPoolingBackward",
         handle,
         alpha,
         beta,
         floats(dx, dx_desc->span()),
         {floats(y, y_desc->span()), floats(dy, dy_desc->span()), floats(x, x_desc->span())},
         false},
        run);
  });
}
