// The table of one instruction set. CMake compiles this file once per set, with the compiler's
// flags for it and its namespace in DIGITRON_ISA. No standard header with inline functions may be
// included here: the linker keeps one copy of those, and it could be one that this machine cannot
// run.
#include "host/cpu/kernels.h"

#include "host/cpu/kernels/augment.h"
#include "host/cpu/kernels/batchnorm.h"
#include "host/cpu/kernels/ceilings.h"
#include "host/cpu/kernels/conv.h"
#include "host/cpu/kernels/conv_pool.h"
#include "host/cpu/kernels/dropout.h"
#include "host/cpu/kernels/elementwise.h"
#include "host/cpu/kernels/linear.h"
#include "host/cpu/kernels/loss.h"
#include "host/cpu/kernels/sgd.h"
#include "host/cpu/kernels/update.h"

namespace digitron::DIGITRON_ISA {

namespace {

// A view of the same tensor that begins at another lane, for vectors narrower than a block.
Tensor from_lane(Tensor tensor, int lane) {
  tensor.data += lane;
  return tensor;
}

void conv_forward(Tensor y, Tensor x, const float* w, const float* b, Window window, int first,
                  bool rectify) {
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    const auto rows = window.stride == 1 ? conv_forward_rows<1> : conv_forward_rows<0>;
    rows(from_lane(y, lane), from_lane(x, lane), w, b, window, first, rectify);
  }
}

void conv_pool_forward(Tensor y, Winners winners, Tensor x, const float* w, const float* b,
                       Window window, bool rectify) {
  for (int lane = 0; lane < kLanes; lane += kWidth, winners.data += kWidth) {
    conv_pool_rows(from_lane(y, lane), winners, from_lane(x, lane), w, b, window, rectify);
  }
}

void conv_backward_weights(float* dw_by_lane, Tensor dy, Tensor x, Window window, int first,
                           bool add) {
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    conv_weights(dw_by_lane + lane, from_lane(dy, lane), from_lane(x, lane), window, first, add);
  }
}

void conv_backward_input(Tensor dx, Tensor dy, const float* w, std::ptrdiff_t w_stride,
                         Window window, int first) {
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    conv_input(from_lane(dx, lane), from_lane(dy, lane), w, w_stride, window, first);
  }
}

}  // namespace

extern const CpuKernels kernels;  // a constant is local to its file unless it is declared so

const CpuKernels kernels = {
    .name = DIGITRON_ISA_NAME,
    .gather = gather,
    .gather_rows = gather_rows,
    .augment_image = augment_image,
    .conv_forward = conv_forward,
    .conv_pool_forward = conv_pool_forward,
    .conv_backward_weights = conv_backward_weights,
    .conv_backward_input = conv_backward_input,
    .sum_positions = sum_positions,
    .sum_positive_positions = sum_positive_positions,
    .sum_lanes = sum_lanes,
    .maxpool_forward = maxpool_forward,
    .maxpool_backward = maxpool_backward,
    .maxpool_backward_add = maxpool_backward_add,
    .relu_forward = relu_forward,
    .relu_backward = relu_backward,
    .channel_moments = channel_moments,
    .batchnorm_forward = batchnorm_forward,
    .batchnorm_pool_take = batchnorm_pool_take,
    .batchnorm_sums = batchnorm_sums,
    .batchnorm_backward = batchnorm_backward,
    .batchnorm_pool_backward = batchnorm_pool_backward,
    .dropout = dropout,
    .linear_forward = linear_forward,
    .sum_parts = sum_parts,
    .linear_backward_input = linear_backward_input,
    .linear_backward_weights = linear_backward_weights,
    .linear_backward_bias = linear_backward_bias,
    .transpose = transpose,
    .softmax_cross_entropy = softmax_cross_entropy,
    .sgd = sgd,
    .update = update,
    .multiply_adds = multiply_adds,
    .triad = triad,
};

}  // namespace digitron::DIGITRON_ISA
