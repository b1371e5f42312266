// Bytes as 32-bit integers: one instruction, for which the compiler's own conversion takes several.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace digitron::DIGITRON_ISA {

// 8 bytes.
inline auto widen_bytes(const uint8_t* at) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
}

}  // namespace digitron::DIGITRON_ISA
