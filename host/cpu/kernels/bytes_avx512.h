// Bytes as 32-bit integers: one instruction, for which the compiler's own conversion takes ten.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace digitron::DIGITRON_ISA {

// 16 bytes; with a mask of all, since g++ 12 warns of what it leaves undefined without one.
inline auto widen_bytes(const uint8_t* at) {
  return _mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}

}  // namespace digitron::DIGITRON_ISA
