// Bytes as 32-bit integers, by way of 16 bits: the compiler takes the direct conversion apart, byte
// by byte.
#pragma once

#include <cstdint>

namespace digitron::DIGITRON_ISA {

// 4 bytes.
inline auto widen_bytes(const uint8_t* at) {
  typedef uint8_t Bytes __attribute__((vector_size(4), may_alias, aligned(1)));
  typedef uint16_t Shorts __attribute__((vector_size(8)));
  typedef int32_t Ints __attribute__((vector_size(16)));
  const Bytes bytes = *reinterpret_cast<const Bytes*>(at);
  return __builtin_convertvector(__builtin_convertvector(bytes, Shorts), Ints);
}

}  // namespace digitron::DIGITRON_ISA
