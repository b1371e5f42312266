// A batch normalisation at one batch size, ready to run.
#pragma once

#include "cuda/context.h"
#include "cuda/descriptors.h"
#include "host/core/model.h"

namespace digitron {

// Statistics of the channels, (C) each: running ones (mean, variance), or a batch's own that
// forward leaves to backward (mean, 1 / deviation).
struct ChannelStatistics {
  float* mean = nullptr;
  float* spread = nullptr;
};

class BatchNormPlan {
 public:
  // Throws MachineError where cuDNN refuses the shape.
  BatchNormPlan(const Context& context, const Shape& shape, int n);

  // x (n, C, H, W), w and b (C) -> y (n, C, H, W), and the batch's statistics. `running` takes its
  // share of them unless it is null.
  void forward_training(float* y, const float* x, const float* w, const float* b,
                        ChannelStatistics running, ChannelStatistics batch) const;
  // The same from running statistics.
  void forward_inference(float* y, const float* x, const float* w, const float* b,
                         ChannelStatistics running) const;
  // dy and x (n, C, H, W), w (C) -> dx (n, C, H, W), dw and db (C).
  void backward(float* dx, float* dw, float* db, const float* dy, const float* x, const float* w,
                ChannelStatistics batch) const;

 private:
  cudnnHandle_t cudnn_;
  TensorDescriptor x_, channels_;
};

}  // namespace digitron
