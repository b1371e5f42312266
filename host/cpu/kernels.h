// The CPU engine's kernels behind one table of functions, so that the same sources, compiled once
// per instruction set, live in one binary and the machine chooses at run time.
// Tensors and their layout are in host/cpu/tensor.h. Pointers to lanes are 64-byte aligned.
#pragma once

#include "host/cpu/tensor.h"
#include "host/shared/augment.h"
#include "host/shared/optimizer.h"
#include "host/shared/pixel_form.h"

namespace digitron {

// Linear layers take this many blocks at once, so that a weight once broadcast is used as often.
inline constexpr int kGroupBlocks = 2;

// What a linear layer's sums are for: to be stored, stored after a ReLU, or added to what is there.
enum class SumsUse : uint8_t { kStore, kRectify, kAdd };

// Plain SGD for parameters w with momentum v, which a kernel that makes gradients can do then and
// there: v = momentum * v + (g + weight_decay * w); w -= lr * v.
struct SgdStep {
  float* w;
  float* v;
  float lr;
  float momentum;
  float weight_decay;
};

// Any optimiser's step for parameters w with their buffers; see host/shared/optimizer.h. v is of
// Adam alone; average may be null.
struct UpdateStep {
  float* w;
  float* m;
  float* v;
  float* average;
  UpdateRule rule;
  StepRates rates;
};

// What a batch normalisation does to a channel: y = (x - center) * scale + shift. All (C).
struct Affine {
  const float* center;
  const float* scale;
  const float* shift;
};

// And back: dx = scale * dy + (x - center) * slope + offset, for statistics that follow x. All (C).
struct AffineGradient {
  const float* center;
  const float* scale;
  const float* slope;
  const float* offset;
};

// The mean of some values, and the sum of their squared differences from it.
struct Moments {
  double mean;
  double squares;
};

// A dropout layer at one step: see host/shared/dropout.h.
struct DropoutLayer {
  uint64_t seed;
  uint32_t step;
  uint32_t layer;
  uint32_t purpose;
  float probability;
  float scale;  // 1 / (1 - probability)
};

// Images (channels, height, width) as values: a pixel p of a channel becomes p * scale + shift.
struct PixelValues {
  int channels;
  int height;
  int width;
  float scale[kMostChannels];
  float shift[kMostChannels];
};

struct CpuKernels {
  const char* name;  // "AVX-512"

  // Pixels [first, last) of x (channels, height, width) inside its border = those of `count`
  // images, normalised; lanes from `count` on are 0. first divides by kLanes.
  void (*gather)(Tensor x, const uint8_t* const* images, int count, const PixelValues& form,
                 int first, int last);
  // The same, one sample a row, for linear layers: x_rows (kLanes, row_floats) = pixels
  // [first_pixel, first_pixel + row_floats), as far as images go, and 0 after them; both divide by
  // kLanes.
  void (*gather_rows)(float* x_rows, int row_floats, const uint8_t* const* images, int count,
                      const PixelValues& form, int first_pixel);

  // out = image, both (height, width), through the map, the same bytes as digitron::sample's; of
  // a form that can_augment.
  void (*augment_image)(uint8_t* out, const uint8_t* image, int height, int width,
                        const AffineMap& map);

  // Rows [first, first + y.height) of the convolution of x with w (O, C, rows, columns), plus b
  // unless it is null, into y's rows from 0 on; x points at the input's corner, border included.
  // ReLU follows when asked.
  void (*conv_forward)(Tensor y, Tensor x, const float* w, const float* b, Window window, int first,
                       bool relu);
  // The whole of a convolution of stride 1, with the max-pooling by 2x2 windows side by side after
  // it: y and winners as of conv_forward without bias and maxpool_forward.
  void (*conv_pool_forward)(Tensor y, Winners winners, Tensor x, const float* w, const float* b,
                            Window window, bool relu);
  // dw_by_lane (O, C, rows, columns, kLanes) = the products of dy's rows and x, from row `first` of
  // the output; added to what is there when asked.
  void (*conv_backward_weights)(float* dw_by_lane, Tensor dy, Tensor x, Window window, int first,
                                bool add);
  // dx += the products of dy's rows and w, whose outputs lie w_stride apart: more than dx's
  // channels when those are some of the input's. dx points at the corner, border included.
  void (*conv_backward_input)(Tensor dx, Tensor dy, const float* w, std::ptrdiff_t w_stride,
                              Window window, int first);

  // A convolution of stride 1 with square kernels of 3 or 5 taps a side, by Winograd's filtering
  // along rows (host/cpu/kernels/winograd.h). v (points, C, x.height, tiles) from x (C, rows,
  // columns), border included.
  void (*winograd_input)(PointTensor v, Tensor x, WinogradForm form);
  // u (points, C, taps, O) and u_back (points, O, taps, C), the same numbers, from w (O, C, taps,
  // taps).
  void (*winograd_weights)(float* u, float* u_back, const float* w, WinogradForm form, int outputs,
                           int inputs);
  // m (points, O, m.height, tiles) = the products of v's rows and u's taps, at each point: tap i of
  // m's row p meets v's row p + i. m may have some of the `outputs`, from u's first on.
  void (*winograd_multiply)(PointTensor m, PointTensor v, const float* u, int outputs,
                            WinogradForm form, Ahead& ahead);
  // y = the outputs of m, plus b (O) unless it is null; ReLU follows when asked.
  void (*winograd_output)(Tensor y, PointTensor m, const float* b, WinogradForm form, bool relu);
  // The max-pooling by 2x2 windows side by side after it too: y and winners as of winograd_output
  // without bias and maxpool_forward; null winners, which no way back will ask for, take less time.
  void (*winograd_pool_output)(Tensor y, Winners winners, PointTensor m, const float* b,
                               WinogradForm form, bool relu);
  // And back: m from the gradient of the outputs, or of the pooled ones.
  void (*winograd_output_gradient)(PointTensor m, Tensor dy, WinogradForm form);
  void (*winograd_pool_gradient)(PointTensor m, Tensor dy, Winners winners, WinogradForm form);
  // du (points, O, C, taps) = the products of m's and v's rows, summed over the lanes, point_stride
  // floats a point; m may have some of the outputs, from du's first on. lanes: room for those of a
  // point by lane.
  void (*winograd_multiply_weights)(float* du, std::ptrdiff_t point_stride, PointTensor m,
                                    PointTensor v, WinogradForm form, float* lanes, Ahead& ahead);
  // dw (rows, taps) from du (points, rows).
  void (*winograd_weight_gradient)(float* dw, const float* du, std::ptrdiff_t point_stride,
                                   WinogradForm form, int rows);
  // v, which has taps - 1 rows more than m, = the products of m's rows and u_back's taps; v may
  // have some of the `inputs`, from u_back's first on.
  void (*winograd_multiply_back)(PointTensor v, PointTensor m, const float* u_back, int inputs,
                                 WinogradForm form, Ahead& ahead);
  // dx += the inputs of v.
  void (*winograd_input_gradient)(Tensor dx, PointTensor v, WinogradForm form);

  // The same for few input channels, with 4 outputs a tile, two rows of outputs at a time
  // (host/cpu/kernels/winograd_rows.h); memory: winograd_rows_floats(), for them to work in.
  // u (rows, points) from the kernels' rows w (rows, taps).
  void (*winograd_points)(float* u, const float* w, WinogradForm form, int rows);
  // y = the convolution of x with u (O, C, taps, points), plus b (O) unless it is null; ReLU
  // follows when asked.
  void (*winograd_rows_forward)(Tensor y, Tensor x, const float* u, const float* b,
                                WinogradForm form, bool relu, float* memory);
  // The max-pooling by 2x2 windows side by side after it too: y and winners, which may be null, as
  // of the convolution without bias and maxpool_forward.
  void (*winograd_rows_pool_forward)(Tensor y, Winners winners, Tensor x, const float* u,
                                     const float* b, WinogradForm form, bool relu, float* memory);
  // du (points, O, C, taps), point_stride floats a point, from the gradient of the outputs, or of
  // the pooled ones.
  void (*winograd_rows_weights)(float* du, std::ptrdiff_t point_stride, Tensor dy, Tensor x,
                                WinogradForm form, float* memory);
  void (*winograd_rows_pool_weights)(float* du, std::ptrdiff_t point_stride, Tensor dy,
                                     Winners winners, Tensor x, WinogradForm form, float* memory);

  // db_by_lane (C, kLanes) = sums of dy over rows and columns.
  void (*sum_positions)(float* db_by_lane, Tensor dy);
  // The same where y is positive.
  void (*sum_positive_positions)(float* db_by_lane, Tensor dy, Tensor y);
  // sums (count) = each vector's sum over its lanes, always in the same order.
  void (*sum_lanes)(float* sums, const float* lanes, int count);

  // y = the largest of each window of x, plus b (C) unless it is null, and winners = its index in
  // the window, the first of equal ones; ReLU follows when asked, and then kNoWinner marks what it
  // cut off. The bias is added to the maximum: its rounding could make different values equal.
  void (*maxpool_forward)(Tensor y, Winners winners, Tensor x, const float* b, Window window,
                          bool relu);
  // dx = dy at the winners and 0 elsewhere, for windows that do not overlap and cover dx.
  void (*maxpool_backward)(Tensor dx, Tensor dy, Winners winners, Window window);
  // dx += dy at the winners; any windows.
  void (*maxpool_backward_add)(Tensor dx, Tensor dy, Winners winners, Window window);

  void (*relu_forward)(Tensor y, Tensor x);
  // dx = dy * scale where y is positive, else 0; dx may be dy. The scale is 1 unless a dropout
  // follows the ReLU: what it dropped is 0 in y.
  void (*relu_backward)(Tensor dx, Tensor dy, Tensor y, float scale);

  // moments (C) of the first `count` lanes of x.
  void (*channel_moments)(Moments* moments, Tensor x, int count);
  // y = x normalised; ReLU follows when asked.
  void (*batchnorm_forward)(Tensor y, Tensor x, Affine affine, bool relu);
  // Of each window of x, which lie side by side, the element that a batch normalisation with these
  // weights (C) makes the largest: the largest, the smallest where the weight is negative, the
  // first of equal ones, which all are at a weight of 0.
  void (*batchnorm_pool_take)(Tensor taken, Tensor x, const float* weights, Window window);
  // (C, kLanes) each: dw_by_lane = the sums of dy * (x - center), db_by_lane = those of dy.
  void (*batchnorm_sums)(float* dw_by_lane, float* db_by_lane, Tensor dy, Tensor x,
                         const float* center);
  // dx in the first `count` lanes, 0 in the others and, with `through_relu`, where x, which a
  // ReLU has made, is not positive. dx may be dy.
  void (*batchnorm_backward)(Tensor dx, Tensor dy, Tensor x, AffineGradient gradient, int count,
                             bool through_relu);
  // The same through a max-pooling: dy is at the elements that batchnorm_pool_take has found, which
  // are found again.
  void (*batchnorm_pool_backward)(Tensor dx, Tensor dy, Tensor x, const float* weights,
                                  AffineGradient gradient, Window window, int count,
                                  bool through_relu);
  // y = x times each element's factor, for samples that are rows first_row, ... of the batch, and
  // elements first_element, ... of the `elements` that a sample has; y may be x.
  void (*dropout)(Tensor y, Tensor x, const DropoutLayer& layer, int first_row, int first_element,
                  int elements);

  // y (O, kLanes) = w (O, I) x (I, kLanes) + b, unless that is null; for 1 to kGroupBlocks blocks
  // at once, which lie the strides apart, in floats. w's rows lie w_stride apart: more than I when
  // those are some of the inputs.
  void (*linear_forward)(float* y, std::ptrdiff_t y_stride, const float* x, std::ptrdiff_t x_stride,
                         int blocks, const float* w, std::ptrdiff_t w_stride, const float* b,
                         int inputs, int outputs, SumsUse use);
  // y (count) = (parts 0 + 1) + (parts 2 + 3) of parts (4, count), which lie `stride` floats apart;
  // added: 0 and 2 hold their pairs' sums. ReLU follows when asked. count divides by kLanes.
  void (*sum_parts)(float* y, const float* part, std::ptrdiff_t stride, bool added, int count,
                    bool relu);
  // dx (I, kLanes) = w (O, I) transposed dy (O, kLanes), for as many blocks and a w as above.
  void (*linear_backward_input)(float* dx, std::ptrdiff_t dx_stride, const float* dy,
                                std::ptrdiff_t dy_stride, int blocks, const float* w,
                                std::ptrdiff_t w_stride, int inputs, int outputs);
  // Columns [first, last) of dw (O, I) over a whole batch: dy (blocks, O, kLanes), its blocks
  // dy_stride floats apart, and the inputs one sample a row, x_rows (blocks * kLanes, row_floats),
  // from column `first` on; first divides by kLanes. Added to what is there when asked. With a
  // step, the parameters are updated then and there.
  void (*linear_backward_weights)(float* dw, const float* dy, std::ptrdiff_t dy_stride,
                                  const float* x_rows, int inputs, int row_floats, int outputs,
                                  int first, int last, int blocks, bool add, const SgdStep* step);
  // db (O) in [first, last) = the sums of dy (blocks, O, kLanes).
  void (*linear_backward_bias)(float* db, const float* dy, int outputs, int first, int last,
                               int blocks);
  // x_rows (kLanes, row_floats) = x (count, kLanes) transposed; columns up to the next whole
  // vector are written.
  void (*transpose)(float* x_rows, int row_floats, const float* x, int count);

  // Softmax cross-entropy of logits (classes, kLanes): the first `count` lanes' losses and whether
  // the largest logit is the label's. dlogits = (softmax - target) * scale, 0 in the other lanes;
  // may be null. The target is the label's one-hot row, of which all classes share the part
  // `smoothing`.
  void (*softmax_cross_entropy)(float* dlogits, float* losses, uint8_t* correct,
                                const float* logits, const uint8_t* labels, int classes, int count,
                                float scale, float smoothing);
  // One step for `count` parameters with gradients g.
  void (*sgd)(const SgdStep& step, const float* g, std::ptrdiff_t count);
  void (*update)(const UpdateStep& step, const float* g, std::ptrdiff_t count);

  // For the machine's ceilings, not for training. `rounds` multiply-adds to each of the sums, at
  // most kSumFloats, that fill the registers; returns how many FLOPs those were.
  int64_t (*multiply_adds)(float* sums, int64_t rounds);
  // a = b + scale * c; count divides by kLanes.
  void (*triad)(float* a, const float* b, const float* c, float scale, std::ptrdiff_t count);
};

inline constexpr uint16_t kNoWinner = 65535;

// An image with a black border, which augment_image makes itself: the bytes of it, and of a row.
inline constexpr int kMostBorderedBytes = 16384;
constexpr int bordered_stride(int width) {
  return width + 4;
}
// Whether augment_image takes images of this size; others go pixel by pixel.
constexpr bool can_augment(int height, int width) {
  return width >= kLanes && bordered_stride(width) * (height + 3) <= kMostBorderedBytes;
}

inline constexpr int kSumFloats = 384;

}  // namespace digitron
