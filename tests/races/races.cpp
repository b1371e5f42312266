// Kernels whole and with one synchronisation left out, for ThreadSanitizer to tell apart: run with
// a kernel's name. Sums come out right either way when threads run in turn; only the race shows.
#include <cstdio>
#include <cstring>
#include <vector>

#include <cuda_runtime.h>

namespace {

constexpr unsigned kThreads = 96;
constexpr unsigned kBlocks = 3;

template <bool kFirst, bool kLast>
__global__ void block_sum(float* sums, const float* x) {
  __shared__ float part[kThreads];
  part[threadIdx.x] = x[blockIdx.x * kThreads + threadIdx.x];
  if (kFirst) __syncthreads();
  float sum = 0;
  for (unsigned i = 0; i < kThreads; ++i) sum += part[i];
  if (kLast) __syncthreads();
  part[threadIdx.x] = sum;  // other threads may still read what was here
  sums[blockIdx.x * kThreads + threadIdx.x] = part[threadIdx.x];
}

// A shuffle alone orders no memory; __syncwarp does.
template <bool kBarrier>
__global__ void warp_sum(float* sums, const float* x) {
  __shared__ float part[kThreads];
  const unsigned thread = threadIdx.x;
  part[thread] = __shfl_xor_sync(0xffffffffu, x[blockIdx.x * kThreads + thread], 1);
  if (kBarrier) {
    __syncwarp();
  } else {
    __ballot_sync(0xffffffffu, 1);
  }
  sums[blockIdx.x * kThreads + thread] = part[thread ^ 1u];
}

template <bool kAtomic>
__global__ void counter(int* count) {
  if (kAtomic) {
    atomicAdd(count, 1);
  } else {
    *count += 1;
  }
}

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(kBlocks);
  config.blockDim = dim3(kThreads);
  if (cudaLaunchKernelEx(&config, kernel, arguments...) != cudaSuccess) std::puts("no launch");
}

}  // namespace

int main(int argc, char** argv) {
  float* x = nullptr;
  float* sums = nullptr;
  int* count = nullptr;
  const std::vector<float> ones(kBlocks * kThreads, 1.0f);
  const size_t bytes = ones.size() * sizeof(float);
  if (cudaMalloc(&x, bytes) != cudaSuccess || cudaMalloc(&sums, bytes) != cudaSuccess ||
      cudaMalloc(&count, sizeof(int)) != cudaSuccess ||
      cudaMemcpy(x, ones.data(), bytes, cudaMemcpyHostToDevice) != cudaSuccess ||
      cudaMemset(count, 0, sizeof(int)) != cudaSuccess)
    return 2;
  const auto is = [&](const char* name) { return argc == 2 && std::strcmp(argv[1], name) == 0; };
  if (is("block_sum")) launch(block_sum<true, true>, sums, x);
  if (is("no_first_barrier")) launch(block_sum<false, true>, sums, x);
  if (is("no_last_barrier")) launch(block_sum<true, false>, sums, x);
  if (is("warp_sum")) launch(warp_sum<true>, sums, x);
  if (is("no_warp_barrier")) launch(warp_sum<false>, sums, x);
  if (is("counter")) launch(counter<true>, count);
  if (is("no_atomic")) launch(counter<false>, count);
  return cudaDeviceSynchronize() == cudaSuccess ? 0 : 3;
}
