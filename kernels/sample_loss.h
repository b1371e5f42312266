// Softmax and cross-entropy of one sample by one warp: the formulas of softmax_cross_entropy.cu,
// each lane below 10 with a class, the sums in the order of the classes.
#pragma once

#include "kernels/block_sum.h"
#include "kernels/sample_form.h"
#include "kernels/step_state.h"

namespace digitron {

// z (10), in shared memory -> dz (10), scaled, unless it is null. All lanes of the warp call it and
// get the sample's loss; `scale`: 1 / samples of the batch.
__device__ inline LossSums sample_loss(float* dz, const float* z, int label, float scale,
                                       float smoothing) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const float shared = smoothing / kClasses;
  float top = z[0];
  int best = 0;
  for (int c = 1; c < kClasses; ++c) {
    best = z[c] > top ? c : best;
    top = z[c] > top ? z[c] : top;
  }
  float distance = (1.0f - smoothing) * (top - z[label]);  // of the targets' logits from the top
  if (smoothing > 0.0f) {
    for (int c = 0; c < kClasses; ++c) distance += shared * (top - z[c]);
  }
  const int mine = min(lane, kClasses - 1);
  const float e = expf(z[mine] - top);
  float sum = 0;
  for (int c = 0; c < kClasses; ++c) sum += __shfl_sync(0xffffffffu, e, c);
  const float target = mine == label ? 1.0f - smoothing + shared : shared;
  if (dz && lane < kClasses) dz[lane] = (e / sum - target) * scale;
  return {static_cast<double>(logf(sum) + distance), best == label ? 1 : 0, 1};
}

}  // namespace digitron
