#include "cuda/ceilings.h"

#include <algorithm>
#include <limits>

#include "cuda/arena.h"
#include "cuda/context.h"
#include "cuda/operation.h"

namespace digitron {

namespace {

using Event = Unique<cudaEvent_t, cudaEventDestroy>;

constexpr int kLeastSide = 64, kMostSide = 8192;
constexpr size_t kLeastCopy = size_t{1} << 20, kMostCopy = size_t{1} << 30;  // bytes
constexpr double kLongEnough = 1e-3;  // seconds, beside which a launch does not count

// Of what `enqueue` enqueues: the least of a few times, after one that warms up.
template <class F>
double least_seconds(cudaStream_t stream, const F& enqueue) {
  constexpr int kRuns = 10;
  Event begin, end;
  check(cudaEventCreate(begin.out()), "cudaEventCreate");
  check(cudaEventCreate(end.out()), "cudaEventCreate");
  double least = std::numeric_limits<double>::infinity();
  enqueue();
  for (int run = 0; run < kRuns; ++run) {
    check(cudaEventRecord(begin.get(), stream), "cudaEventRecord");
    enqueue();
    check(cudaEventRecord(end.get(), stream), "cudaEventRecord");
    check(cudaEventSynchronize(end.get()), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()), "cudaEventElapsedTime");
    least = std::min(least, milliseconds / 1000.0);
  }
  return least;
}

// c = a b, (side, side) each.
double product_seconds(const Context& context, int side) {
  const auto count = static_cast<size_t>(side) * static_cast<size_t>(side);
  float *a = nullptr, *b = nullptr, *c = nullptr;
  Arena memory;
  memory.add("a", &a, count);
  memory.add("b", &b, count);
  memory.add("c", &c, count);
  memory.allocate();
  constexpr int kByte = 0x3c;  // of 0.0115: zeros would cost a GPU less power than real factors
  for (float* factor : {a, b}) {
    check(cudaMemsetAsync(factor, kByte, count * sizeof(float), context.stream.get()),
          "cudaMemsetAsync");
  }
  return least_seconds(context.stream.get(), [&] {
    check(cublasSgemm(context.cublas.get(), CUBLAS_OP_N, CUBLAS_OP_N, side, side, side, &kOne, a,
                      side, b, side, &kZero, c, side),
          "cublasSgemm");
  });
}

double copy_seconds(const Context& context, size_t bytes) {
  std::byte *from = nullptr, *to = nullptr;
  Arena memory;
  memory.add("from", &from, bytes);
  memory.add("to", &to, bytes);
  memory.allocate();
  check(cudaMemsetAsync(from, 0, bytes, context.stream.get()), "cudaMemsetAsync");
  return least_seconds(context.stream.get(), [&] {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, context.stream.get()),
          "cudaMemcpyAsync");
  });
}

// The least size, doubled from `size` on up to `most`, that takes long enough, and its seconds.
template <class Size, class F>
std::pair<Size, double> first_long_enough(Size size, Size most, const F& seconds_of) {
  for (;; size *= 2) {
    const double seconds = seconds_of(size);
    if (seconds >= kLongEnough || size >= most) return {size, seconds};
  }
}

}  // namespace

Ceilings measure_cuda_ceilings(int device, const CudaOptions& options) {
  const Context context(device, options);
  const auto [side, product] =
      first_long_enough(kLeastSide, kMostSide, [&](int n) { return product_seconds(context, n); });
  const auto [bytes, copy] =
      first_long_enough(kLeastCopy, kMostCopy, [&](size_t n) { return copy_seconds(context, n); });
  return {.flops_per_second = 2.0 * side * side * side / product,
          .bytes_per_second = 2.0 * static_cast<double>(bytes) / copy,
          .compute = "cublasSgemm of " + std::to_string(side) + " x " + std::to_string(side) +
                     (options.tf32 ? ", tf32" : ", fp32"),
          .memory = "copy of " + std::to_string(bytes >> 20) + " MiB, read and written"};
}

}  // namespace digitron
