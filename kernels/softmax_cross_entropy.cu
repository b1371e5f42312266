// Softmax, cross-entropy, accuracy and the gradient in one pass over the logits z, label t:
//
//   p[c]    = (1 - smoothing) [c == t] + smoothing / classes   the target
//   loss    = log(sum_c exp(z[c] - top)) + top - sum_c p[c] z[c]    top = max_c z[c]
//   dz[c]   = (exp(z[c] - top) / sum - p[c]) / n
//   correct = [t is the first largest]
//
// Reads and writes 40 bytes a sample of ten classes. One thread a sample: ten classes fit its
// registers, and the ten loads are all in flight at once; of other numbers it reads each again.
// Loss and correct leave as one partial sum a block, the first of two ordered passes; `advance`
// makes the second.
#include "kernels/kernels.h"

#include "kernels/block_sum.h"
#include "kernels/launch.h"

namespace digitron {

namespace {

constexpr int kRows = 64;  // samples a block

struct RowLoss {
  float loss;
  int correct;
};

// The logits of a sample, and then an exponential of each: in registers where their number is
// known, kCount, and else, for 0, where they are, and in `dz`.
template <int kCount>
struct Row {
  float value[kCount];

  __device__ Row(float*, const float* z) {
    for (int c = 0; c < kCount; ++c) value[c] = z[c];
  }
  __device__ static constexpr int count(int) { return kCount; }
  __device__ float logit(int c) const { return value[c]; }
  __device__ float exponential(int c) const { return value[c]; }
  __device__ void set_exponential(int c, float e) { value[c] = e; }
};

template <>
struct Row<0> {
  float* dz;
  const float* z;

  __device__ Row(float* to, const float* from) : dz(to), z(from) {}
  __device__ static constexpr int count(int classes) { return classes; }
  __device__ float logit(int c) const { return z[c]; }
  __device__ float exponential(int c) const { return dz[c]; }
  __device__ void set_exponential(int c, float e) { dz[c] = e; }
};

// logits may be dz: each is read for the last time before it is written.
template <int kCount>
__device__ RowLoss row_loss(float* dz, const float* logits, int label, int classes, float scale,
                            float smoothing) {
  const int count = Row<kCount>::count(classes);
  const float shared = smoothing / static_cast<float>(count);
  Row<kCount> z(dz, logits);
  float top = z.logit(0);
  float target = top;
  int best = 0;
  for (int c = 1; c < count; ++c) {
    best = z.logit(c) > top ? c : best;
    top = z.logit(c) > top ? z.logit(c) : top;
    target = c == label ? z.logit(c) : target;
  }
  float distance = (1.0f - smoothing) * (top - target);  // of the targets' logits from the top
  if (smoothing > 0.0f) {
    for (int c = 0; c < count; ++c) distance += shared * (top - z.logit(c));
  }
  float sum = 0;
  for (int c = 0; c < count; ++c) {
    z.set_exponential(c, expf(z.logit(c) - top));
    sum += z.exponential(c);
  }
  for (int c = 0; c < count; ++c) {
    dz[c] = (z.exponential(c) / sum - (c == label ? 1.0f - smoothing + shared : shared)) * scale;
  }
  return {logf(sum) + distance, best == label ? 1 : 0};
}

template <int kCount>
__global__ void softmax_cross_entropy_kernel(float* dlogits, LossSums* partials,
                                             const float* logits, const uint8_t* labels, int n,
                                             int classes, float smoothing) {
  const int first = static_cast<int>(blockIdx.x) * kRows;
  const int row = first + static_cast<int>(threadIdx.x);
  RowLoss mine = {0, 0};
  if (row < n) {
    const size_t at = static_cast<size_t>(row) * static_cast<size_t>(classes);
    mine = row_loss<kCount>(dlogits + at, logits + at, labels[row], classes,
                            1.0f / static_cast<float>(n), smoothing);
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
                                  const uint8_t* labels, int n, int classes, float smoothing,
                                  cudaStream_t stream) {
  const auto kernel =
      classes == 10 ? softmax_cross_entropy_kernel<10> : softmax_cross_entropy_kernel<0>;
  return launch(kernel, loss_partials(n), kRows, stream, dlogits, partials, logits, labels, n,
                classes, smoothing);
}

}  // namespace digitron
