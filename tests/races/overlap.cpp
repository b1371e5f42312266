// Blocks and kernels that live at the same time, whole and with what orders them left out, for
// ThreadSanitizer to tell apart: run with a kernel's name, and "descending" for that order.
#include <cstdio>
#include <cstring>

#include <cooperative_groups.h>
#include <cuda_pipeline.h>
#include <cuda_runtime.h>
#include <host_cuda.h>

namespace overlap {

constexpr unsigned kThreads = 64;
constexpr unsigned kBlocks = 4;

extern __shared__ float shared_row[];

namespace {

namespace cg = cooperative_groups;

// Each block of a pair stores a row into the other. Barriers: when both have begun, when the rows
// are stored, and when both have read theirs.
template <bool kBegun, bool kStored, bool kRead>
__global__ void exchange(float* out) {
  const unsigned thread = threadIdx.x;
  const int other = 1 - static_cast<int>(cg::this_cluster().block_rank());
  float* const theirs = cg::this_cluster().map_shared_rank(shared_row, other);
  if (kBegun) cg::this_cluster().sync();
  theirs[thread] = static_cast<float>(thread);
  if (kStored) {
    cg::this_cluster().sync();
  } else {
    __syncthreads();
  }
  out[blockIdx.x * kThreads + thread] = shared_row[kThreads - 1 - thread];
  if (kRead) {
    cg::this_cluster().sync();
  } else {
    __syncthreads();
  }
  theirs[thread] = 0;
  cg::this_cluster().sync();
}

// The last store reaches a block that may have ended.
__global__ void store_and_leave(float* out) {
  const int other = 1 - static_cast<int>(cg::this_cluster().block_rank());
  cg::this_cluster().sync();
  out[blockIdx.x * kThreads + threadIdx.x] = 0;
  cg::this_cluster().map_shared_rank(shared_row, other)[threadIdx.x] = 1;
}

// y = x + 1, each kernel behind the one before. kTriggers: before or after it has waited.
enum class Trigger { kFirst, kLast };

template <bool kWaits, Trigger kTriggers>
__global__ void add_one(float* y, const float* x) {
  if (kTriggers == Trigger::kFirst) cudaTriggerProgrammaticLaunchCompletion();
  if (kWaits) cudaGridDependencySynchronize();
  if (kTriggers == Trigger::kLast) cudaTriggerProgrammaticLaunchCompletion();
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;
  y[i] = x[i] + 1;
}

// Reads before it waits what the kernel before the one in front of it wrote.
__global__ void add_early(float* y, const float* x) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x;
  const float early = x[i];
  cudaGridDependencySynchronize();
  y[i] = early + 1;
}

template <bool kWaits, bool kBarrier>
__global__ void copy_row(float* y, const float* x) {
  __shared__ float row[kThreads];
  const unsigned thread = threadIdx.x;
  __pipeline_memcpy_async(&row[thread], &x[blockIdx.x * kThreads + thread], sizeof(float));
  __pipeline_commit();
  if (kWaits) __pipeline_wait_prior(0);
  if (kBarrier) __syncthreads();
  y[blockIdx.x * kThreads + thread] = row[kThreads - 1 - thread];
  if (!kWaits) __pipeline_wait_prior(0);
}

template <typename... Parameters, typename... Arguments>
void launch_with(cudaLaunchAttribute attribute, void (*kernel)(Parameters...),
                 Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(kBlocks);
  config.blockDim = dim3(kThreads);
  config.dynamicSmemBytes = kThreads * sizeof(float);
  config.attrs = &attribute;
  config.numAttrs = 1;
  if (cudaLaunchKernelEx(&config, kernel, arguments...) != cudaSuccess) std::puts("no launch");
}

template <typename... Parameters, typename... Arguments>
void in_pairs(void (*kernel)(Parameters...), Arguments... arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim.x = 2;
  attribute.val.clusterDim.y = 1;
  attribute.val.clusterDim.z = 1;
  launch_with(attribute, kernel, arguments...);
}

template <typename... Parameters, typename... Arguments>
void overlapping(void (*kernel)(Parameters...), Arguments... arguments) {
  cudaLaunchAttribute attribute = {};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  launch_with(attribute, kernel, arguments...);
}

// a -> b -> c -> d, where the last reads b and writes d.
template <bool kWaits, Trigger kTriggers>
void chain(float* a, float* b, float* c, float* d) {
  overlapping(add_one<true, Trigger::kLast>, b, a);
  overlapping(add_one<kWaits, kTriggers>, c, b);
  overlapping(add_early, d, b);
}

int run(const char* name) {
  float* rows[4] = {};
  const size_t bytes = kBlocks * kThreads * sizeof(float);
  for (float*& row : rows)
    if (cudaMalloc(&row, bytes) != cudaSuccess || cudaMemset(row, 0, bytes) != cudaSuccess)
      return 2;
  const auto is = [&](const char* wanted) { return std::strcmp(name, wanted) == 0; };
  float* const x = rows[0];
  float* const y = rows[1];
  if (is("exchange")) in_pairs(exchange<true, true, true>, y);
  if (is("no_begun_barrier")) in_pairs(exchange<false, true, true>, y);
  if (is("no_stored_barrier")) in_pairs(exchange<true, false, true>, y);
  if (is("no_read_barrier")) in_pairs(exchange<true, true, false>, y);
  if (is("no_leaving_barrier")) in_pairs(store_and_leave, y);
  if (is("chain")) chain<true, Trigger::kLast>(x, y, rows[2], rows[3]);
  if (is("no_grid_wait")) chain<false, Trigger::kLast>(x, y, rows[2], rows[3]);
  if (is("early_trigger")) chain<true, Trigger::kFirst>(x, y, rows[2], rows[3]);
  if (is("copy_row")) overlapping(copy_row<true, true>, y, x);
  if (is("no_copy_wait")) overlapping(copy_row<false, true>, y, x);
  if (is("no_copy_barrier")) overlapping(copy_row<true, false>, y, x);
  return cudaDeviceSynchronize() == cudaSuccess ? 0 : 3;
}

}  // namespace

HOST_CUDA_DYNAMIC_SHARED(float, shared_row);

}  // namespace overlap

int main(int argc, char** argv) {
  // Which block or thread goes first must make no difference.
  if (argc == 3) host_cuda::set_order(host_cuda::Order::kDescending);
  return argc > 1 ? overlap::run(argv[1]) : 2;
}
