// CUDA C++ as a host compiler reads it: qualifiers that mean nothing here, the built-in variables,
// barriers, warp operations, the order of kernels and the mathematics. Included by cuda_runtime.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include <vector_types.h>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

// All threads of a block run as fibers of one host thread, so its thread-local storage is what they
// share; blocks that live at the same time have a host thread each. Unlike "static" it may follow
// extern, as dynamic shared memory is declared (HOST_CUDA_DYNAMIC_SHARED in host_cuda.h then
// defines the array).
#define __shared__ thread_local

// Those of the fiber that runs.
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
constexpr int warpSize = 32;

namespace host_cuda {

// A place in a kernel's source: threads that meet must meet at the same one.
struct Site {
  const char* file;
  int line;
};

enum class WarpOperation { kSync, kShuffle, kBallot };

void block_barrier(Site site);
void wait_for_grid(Site site);
void trigger_dependents(Site site);
long long clock_ticks();

// Waits for the lanes in mask. kShuffle returns the bits that source_lane gave (all ones from a
// lane that has returned or is not in mask), kBallot the lanes that gave bits other than zero.
uint64_t warp_meet(WarpOperation operation, unsigned mask, uint64_t bits, int source_lane,
                   Site site);
int lane();

template <typename T>
T shuffle(unsigned mask, T value, int source_lane, Site site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "CUDA shuffles values of 4 and 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = warp_meet(WarpOperation::kShuffle, mask, bits, source_lane, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace host_cuda

inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  host_cuda::block_barrier({file, line});
}
inline void __syncwarp(unsigned mask = 0xffffffffu, const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
  host_cuda::warp_meet(host_cuda::WarpOperation::kSync, mask, 0, 0, {file, line});
}
inline unsigned __ballot_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
  return static_cast<unsigned>(host_cuda::warp_meet(host_cuda::WarpOperation::kBallot, mask,
                                                    predicate != 0, 0, {file, line}));
}
inline int __any_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return __ballot_sync(mask, predicate, file, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return __ballot_sync(mask, predicate == 0, file, line) == 0;
}

// Shuffles stay inside groups of `width` lanes; a lane whose source lies outside keeps its own.
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize,
              const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  const int first = host_cuda::lane() & ~(width - 1);
  return host_cuda::shuffle(mask, value, first + (source & (width - 1)), {file, line});
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                 const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  const int lane = host_cuda::lane();
  const int source = lane - static_cast<int>(delta);
  const bool inside = source >= (lane & ~(width - 1));
  return host_cuda::shuffle(mask, value, inside ? source : lane, {file, line});
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize,
                   const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  const int lane = host_cuda::lane();
  const int source = lane + static_cast<int>(delta);
  const bool inside = source <= (lane | (width - 1));
  return host_cuda::shuffle(mask, value, inside ? source : lane, {file, line});
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize,
                  const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  const int lane = host_cuda::lane();
  const int source = lane ^ lane_mask;
  const bool inside = source <= (lane | (width - 1));
  return host_cuda::shuffle(mask, value, inside ? source : lane, {file, line});
}

// Programmatic dependent launch.
inline void cudaGridDependencySynchronize(const char* file = __builtin_FILE(),
                                          int line = __builtin_LINE()) {
  host_cuda::wait_for_grid({file, line});
}
inline void cudaTriggerProgrammaticLaunchCompletion(const char* file = __builtin_FILE(),
                                                    int line = __builtin_LINE()) {
  host_cuda::trigger_dependents({file, line});
}

// Device threads run one at a time: fences order nothing that is not in order already.
inline void __threadfence() {}
inline void __threadfence_block() {}

inline int atomicAdd(int* address, int value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline unsigned atomicAdd(unsigned* address, unsigned value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
inline unsigned long long atomicAdd(unsigned long long* address, unsigned long long value) {
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}

inline long long clock64() {
  return host_cuda::clock_ticks();
}

template <typename T>
T __ldg(const T* address) {
  return *address;
}

constexpr int min(int a, int b) {
  return b < a ? b : a;
}
constexpr int max(int a, int b) {
  return a < b ? b : a;
}
constexpr unsigned min(unsigned a, unsigned b) {
  return b < a ? b : a;
}
constexpr unsigned max(unsigned a, unsigned b) {
  return a < b ? b : a;
}
constexpr long min(long a, long b) {
  return b < a ? b : a;
}
constexpr long max(long a, long b) {
  return a < b ? b : a;
}
constexpr long long min(long long a, long long b) {
  return b < a ? b : a;
}
constexpr long long max(long long a, long long b) {
  return a < b ? b : a;
}
constexpr unsigned long min(unsigned long a, unsigned long b) {
  return b < a ? b : a;
}
constexpr unsigned long max(unsigned long a, unsigned long b) {
  return a < b ? b : a;
}
inline float min(float a, float b) {
  return fminf(a, b);
}
inline float max(float a, float b) {
  return fmaxf(a, b);
}
inline double min(double a, double b) {
  return fmin(a, b);
}
inline double max(double a, double b) {
  return fmax(a, b);
}

inline float rsqrtf(float x) {
  return 1.0f / sqrtf(x);
}
inline float __expf(float x) {
  return expf(x);
}
inline float __logf(float x) {
  return logf(x);
}
inline float __fdividef(float x, float y) {
  return x / y;
}
inline float __fmaf_rn(float x, float y, float z) {
  return fmaf(x, y, z);
}
inline float __fadd_rn(float x, float y) {
  return x + y;
}
inline float __fmul_rn(float x, float y) {
  return x * y;
}
inline float __fdiv_rn(float x, float y) {
  return x / y;
}
inline float __fsqrt_rn(float x) {
  return sqrtf(x);
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<uint64_t>(a) * b) >> 32);
}
inline int __popc(unsigned x) {
  return __builtin_popcount(x);
}
inline int __clz(int x) {
  return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x));
}
inline int __ffs(int x) {
  return __builtin_ffs(x);
}
inline int __float_as_int(float x) {
  int bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float __int_as_float(int bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
