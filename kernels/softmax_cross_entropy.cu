// Softmax, cross-entropy, accuracy and the gradient in one pass over the logits z, label t:
//
//   p[c]    = (1 - smoothing) [c == t] + smoothing / 10        the target
//   loss    = log(sum_c exp(z[c] - top)) + top - sum_c p[c] z[c]    top = max_c z[c]
//   dz[c]   = (exp(z[c] - top) / sum - p[c]) / n
//   correct = [t is the first largest]
//
// Reads and writes 40 bytes a sample. One thread a sample: ten classes fit its registers, and the
// ten loads are all in flight at once. Loss and correct leave as one partial sum a block, the first
// of two ordered passes; `advance` makes the second.
#include "kernels/kernels.h"

#include "host/shared/dataset_constants.h"
#include "kernels/block_sum.h"
#include "kernels/launch.h"

namespace digitron {

namespace {

constexpr int kRows = 64;  // samples a block

struct RowLoss {
  float loss;
  int correct;
};

// z may be dz: all of z is read before dz is written.
__device__ RowLoss row_loss(float* dz, const float* z, int label, float scale, float smoothing) {
  const float shared = smoothing / kClasses;
  float e[kClasses];
  for (int c = 0; c < kClasses; ++c) e[c] = z[c];
  float top = e[0];
  float target = e[0];
  int best = 0;
  for (int c = 1; c < kClasses; ++c) {
    best = e[c] > top ? c : best;
    top = e[c] > top ? e[c] : top;
    target = c == label ? e[c] : target;
  }
  float distance = (1.0f - smoothing) * (top - target);  // of the targets' logits from the top
  if (smoothing > 0.0f) {
    for (int c = 0; c < kClasses; ++c) distance += shared * (top - e[c]);
  }
  float sum = 0;
  for (int c = 0; c < kClasses; ++c) {
    e[c] = expf(e[c] - top);
    sum += e[c];
  }
  for (int c = 0; c < kClasses; ++c) {
    dz[c] = (e[c] / sum - (c == label ? 1.0f - smoothing + shared : shared)) * scale;
  }
  return {logf(sum) + distance, best == label ? 1 : 0};
}

__global__ void softmax_cross_entropy_kernel(float* dlogits, LossSums* partials,
                                             const float* logits, const uint8_t* labels, int n,
                                             float smoothing) {
  const int first = static_cast<int>(blockIdx.x) * kRows;
  const int row = first + static_cast<int>(threadIdx.x);
  RowLoss mine = {0, 0};
  if (row < n) {
    const size_t at = static_cast<size_t>(row) * kClasses;
    mine =
        row_loss(dlogits + at, logits + at, labels[row], 1.0f / static_cast<float>(n), smoothing);
  }
  const double loss = block_sum(static_cast<double>(mine.loss));
  const int correct = block_sum(mine.correct);
  if (threadIdx.x == 0)
    partials[blockIdx.x] = {loss, correct, n - first < kRows ? n - first : kRows};
}

}  // namespace

size_t loss_partials(int n) {
  return blocks_for(static_cast<size_t>(n), kRows);
}

cudaError_t softmax_cross_entropy(float* dlogits, LossSums* partials, const float* logits,
                                  const uint8_t* labels, int n, float smoothing,
                                  cudaStream_t stream) {
  return launch(softmax_cross_entropy_kernel, loss_partials(n), kRows, stream, dlogits, partials,
                logits, labels, n, smoothing);
}

}  // namespace digitron
