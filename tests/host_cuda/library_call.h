// How an operation of cuBLAS or cuDNN reaches its stream.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "tests/host_cuda/device.h"
#include "tests/host_cuda/stream.h"

namespace host_cuda {

inline Range floats(const void* begin, size_t count) {
  return {begin, count * sizeof(float)};
}

inline bool overlap(Range a, Range b) {
  const auto* a_begin = static_cast<const char*>(a.begin);
  const auto* b_begin = static_cast<const char*>(b.begin);
  return a_begin < b_begin + b.bytes && b_begin < a_begin + a.bytes;
}

// Every range in device memory? If not, the problem is noted.
inline bool check_ranges(const char* call, const std::vector<Range>& ranges) {
  const bool all = std::all_of(ranges.begin(), ranges.end(), device_can_access);
  if (!all) device().problem = std::string(call) + ": not device memory of the size it takes";
  return all;
}

// A scaling factor: the libraries are used in their default mode, which reads it on the host.
inline bool host_scalar(const void* scalar) {
  return scalar != nullptr && !touches_device({scalar, sizeof(float)});
}

inline float scalar(const void* pointer) {
  float value;
  std::memcpy(&value, pointer, sizeof value);
  return value;
}

// As tensor cores see a float under TF32: 10 bits of mantissa, rounded to nearest even.
inline float round_tf32(float x) {
  if (!std::isfinite(x)) return x;
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits += 0xFFFu + (bits >> 13 & 1u);
  bits &= ~0x1FFFu;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// A library may write anywhere in its workspace. Both ends are enough to show that something else
// lies there, and large workspaces cost no time.
inline void use_up(Range workspace) {
  constexpr size_t kMostBytes = 64 * 1024;
  const size_t bytes = std::min(workspace.bytes, kMostBytes);
  if (bytes == 0) return;
  auto* const begin = static_cast<char*>(const_cast<void*>(workspace.begin));
  std::memset(begin, kPoison, bytes);
  std::memset(begin + workspace.bytes - bytes, kPoison, bytes);
}

// out = alpha * sum + beta * out, where out is not read if beta is 0.
inline void blend(float& out, float alpha, float sum, float beta) {
  out = beta == 0 ? alpha * sum : alpha * sum + beta * out;
}

}  // namespace host_cuda
