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
#include "host/cpu/kernels/lanes.h"
#include "host/cpu/kernels/linear.h"
#include "host/cpu/kernels/loss.h"
#include "host/cpu/kernels/sgd.h"
#include "host/cpu/kernels/update.h"
#include "host/cpu/kernels/winograd.h"
#include "host/cpu/kernels/winograd_products.h"
#include "host/cpu/kernels/winograd_rows.h"
#include "host/cpu/kernels/winograd_rows_back.h"

namespace digitron::DIGITRON_ISA {

namespace {

// A view of the same tensor that begins at another lane, for vectors narrower than a block.
Tensor from_lane(Tensor tensor, int lane) {
  tensor.data += lane;
  return tensor;
}

Winners from_lane(Winners winners, int lane) {
  if (winners.data) winners.data += lane;
  return winners;
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
  for (int lane = 0; lane < kLanes; lane += kWidth) {
    conv_pool_rows(from_lane(y, lane), from_lane(winners, lane), from_lane(x, lane), w, b, window,
                   rectify);
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

PointTensor from_lane(PointTensor tensor, int lane) {
  tensor.data += lane;
  return tensor;
}

Tensor at_point(PointTensor tensor, int point) {
  tensor.data += point * tensor.point_stride;
  return tensor;
}

// Calls f(FixedForm) of the form that there are kernels for.
template <class F>
void with_form(WinogradForm form, F f) {
  if (form.taps == 5) {
    form.outputs == 5 ? f(FixedForm<5, 5>()) : f(FixedForm<5, 4>());
  } else {
    form.outputs == 5 ? f(FixedForm<3, 5>()) : f(FixedForm<3, 4>());
  }
}

// Calls f(fixed, lane) for each vector of lanes.
template <class F>
void with_form_and_lanes(WinogradForm form, F f) {
  with_form(form, [&](auto fixed) {
    for (int lane = 0; lane < kLanes; lane += kWidth) f(fixed, lane);
  });
}

void winograd_input(PointTensor v, Tensor x, WinogradForm form) {
  with_form_and_lanes(form, [&]<class Form>(Form, int lane) {
    winograd_input_tiles<Form>(from_lane(v, lane), from_lane(x, lane));
  });
}

void winograd_output(Tensor y, PointTensor m, const float* b, WinogradForm form, bool rectify) {
  with_form_and_lanes(form, [&]<class Form>(Form, int lane) {
    winograd_output_tiles<Form>(from_lane(y, lane), from_lane(m, lane), b, rectify);
  });
}

void winograd_output_gradient(PointTensor m, Tensor dy, WinogradForm form) {
  with_form_and_lanes(form, [&]<class Form>(Form, int lane) {
    winograd_output_gradient_tiles<Form>(from_lane(m, lane), from_lane(dy, lane));
  });
}

void winograd_input_gradient(Tensor dx, PointTensor v, WinogradForm form) {
  with_form_and_lanes(form, [&]<class Form>(Form, int lane) {
    winograd_input_gradient_tiles<Form>(from_lane(dx, lane), from_lane(v, lane));
  });
}

void winograd_weights(float* u, float* u_back, const float* w, WinogradForm form, int outputs,
                      int inputs) {
  with_form(form,
            [&]<class Form>(Form) { winograd_weights_rows<Form>(u, u_back, w, outputs, inputs); });
}

void winograd_weight_gradient(float* dw, const float* du, std::ptrdiff_t point_stride,
                              WinogradForm form, int rows) {
  with_form(form, [&]<class Form>(Form) {
    winograd_weight_gradient_rows<Form>(dw, du, point_stride, rows);
  });
}

void winograd_multiply(PointTensor m, PointTensor v, const float* u, int outputs, WinogradForm form,
                       Ahead& ahead) {
  for (int k = 0; k < form.points(); ++k, u += v.channels * form.taps * outputs)
    with_form_and_lanes(form, [&]<class Form>(Form, int lane) {
      winograd_forward<Form::kTaps>(from_lane(at_point(m, k), lane),
                                    from_lane(at_point(v, k), lane), u, outputs, ahead);
    });
}

void winograd_multiply_back(PointTensor v, PointTensor m, const float* u_back, int inputs,
                            WinogradForm form, Ahead& ahead) {
  for (int k = 0; k < form.points(); ++k, u_back += m.channels * form.taps * inputs)
    with_form_and_lanes(form, [&]<class Form>(Form, int lane) {
      winograd_back<Form::kTaps>(from_lane(at_point(v, k), lane), from_lane(at_point(m, k), lane),
                                 u_back, inputs, ahead);
    });
}

void winograd_pool_output(Tensor y, Winners winners, PointTensor m, const float* b,
                          WinogradForm form, bool rectify) {
  with_form_and_lanes(form, [&]<class Form>(Form, int lane) {
    const auto pool = winners.data ? winograd_pool_output_tiles<Form, true>
                                   : winograd_pool_output_tiles<Form, false>;
    pool(from_lane(y, lane), from_lane(winners, lane), from_lane(m, lane), b, rectify);
  });
}

void winograd_pool_gradient(PointTensor m, Tensor dy, Winners winners, WinogradForm form) {
  with_form_and_lanes(form, [&]<class Form>(Form, int lane) {
    winograd_pool_gradient_tiles<Form>(from_lane(m, lane), from_lane(dy, lane),
                                       from_lane(winners, lane));
  });
}

void winograd_multiply_weights(float* du, std::ptrdiff_t point_stride, PointTensor m, PointTensor v,
                               WinogradForm form, float* lanes, Ahead& ahead) {
  for (int k = 0; k < form.points(); ++k, du += point_stride) {
    with_form_and_lanes(form, [&]<class Form>(Form, int lane) {
      winograd_weight_sums<Form::kTaps>(lanes + lane, from_lane(at_point(m, k), lane),
                                        from_lane(at_point(v, k), lane), ahead);
    });
    sum_lanes(du, lanes, m.channels * v.channels * form.taps);
  }
}

void winograd_points(float* u, const float* w, WinogradForm form, int rows) {
  with_form(form, [&]<class Form>(Form) { winograd_points_rows<Form>(u, w, rows); });
}

// Calls f(Form, lane, PointRows, the rest of the memory) for the forms of four outputs.
template <class F>
void with_point_rows(Tensor x, WinogradForm form, int columns, float* memory, F f) {
  const int tiles = form.tiles(columns);
  const auto with = [&]<class Form>(Form fixed) {
    for (int lane = 0; lane < kLanes; lane += kWidth) {
      const PointRows<Form> rows(memory, from_lane(x, lane), tiles);
      f(fixed, lane, rows, memory + rows.floats());
    }
  };
  form.taps == 5 ? with(FixedForm<5, 4>()) : with(FixedForm<3, 4>());
}

void winograd_rows_forward(Tensor y, Tensor x, const float* u, const float* b, WinogradForm form,
                           bool rectify, float* memory) {
  with_point_rows(x, form, y.width, memory,
                  [&]<class Form>(Form, int lane, const PointRows<Form>& rows, float*) {
                    winograd_rows<Form>(from_lane(y, lane), rows, u, b, rectify);
                  });
}

void winograd_rows_pool_forward(Tensor y, Winners winners, Tensor x, const float* u, const float* b,
                                WinogradForm form, bool rectify, float* memory) {
  with_point_rows(x, form, 2 * y.width, memory,
                  [&]<class Form>(Form, int lane, const PointRows<Form>& rows, float*) {
                    const auto pool = winners.data ? winograd_rows_pool<Form, true>
                                                   : winograd_rows_pool<Form, false>;
                    pool(from_lane(y, lane), from_lane(winners, lane), rows, u, b, rectify);
                  });
}

// sum(Form, du_by_lane, lane, PointRows, memory for the gradients' rows) for each vector of lanes,
// and these added.
template <class F>
void sum_weight_gradients(float* du, std::ptrdiff_t point_stride, int outputs, int columns,
                          Tensor x, WinogradForm form, float* memory, F sum) {
  const int rows = outputs * x.channels * form.taps;
  const std::ptrdiff_t by_lane = std::ptrdiff_t{rows} * kLanes;
  float* rest = memory + form.points() * by_lane;
  with_point_rows(x, form, columns, rest,
                  [&]<class Form>(Form fixed, int lane, const PointRows<Form>& x_rows, float* g) {
                    sum(fixed, memory + lane, by_lane, lane, x_rows, g);
                  });
  for (int k = 0; k < form.points(); ++k) {
    sum_lanes(du + k * point_stride, memory + k * by_lane, rows);
  }
}

void winograd_rows_weights(float* du, std::ptrdiff_t point_stride, Tensor dy, Tensor x,
                           WinogradForm form, float* memory) {
  sum_weight_gradients(du, point_stride, dy.channels, dy.width, x, form, memory,
                       [&]<class Form>(Form, float* lanes, std::ptrdiff_t next, int lane,
                                       const PointRows<Form>& rows, float* g) {
                         winograd_rows_weight_sums<Form>(lanes, next, from_lane(dy, lane), rows, g);
                       });
}

void winograd_rows_pool_weights(float* du, std::ptrdiff_t point_stride, Tensor dy, Winners winners,
                                Tensor x, WinogradForm form, float* memory) {
  sum_weight_gradients(du, point_stride, dy.channels, 2 * dy.width, x, form, memory,
                       [&]<class Form>(Form, float* lanes, std::ptrdiff_t next, int lane,
                                       const PointRows<Form>& rows, float* g) {
                         winograd_rows_pool_weight_sums<Form>(lanes, next, from_lane(dy, lane),
                                                              from_lane(winners, lane), rows, g);
                       });
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
    .winograd_input = winograd_input,
    .winograd_weights = winograd_weights,
    .winograd_multiply = winograd_multiply,
    .winograd_output = winograd_output,
    .winograd_pool_output = winograd_pool_output,
    .winograd_output_gradient = winograd_output_gradient,
    .winograd_pool_gradient = winograd_pool_gradient,
    .winograd_multiply_weights = winograd_multiply_weights,
    .winograd_weight_gradient = winograd_weight_gradient,
    .winograd_multiply_back = winograd_multiply_back,
    .winograd_input_gradient = winograd_input_gradient,
    .winograd_points = winograd_points,
    .winograd_rows_forward = winograd_rows_forward,
    .winograd_rows_pool_forward = winograd_rows_pool_forward,
    .winograd_rows_weights = winograd_rows_weights,
    .winograd_rows_pool_weights = winograd_rows_pool_weights,
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
