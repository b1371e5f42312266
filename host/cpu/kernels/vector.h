// The vector type of one instruction set, and the little that the kernels need beyond + and *.
// Included only by sources that are compiled once per instruction set: everything here lives in
// that set's own namespace, so that the linker can never mix code for one machine into another's.
#pragma once

#include DIGITRON_ISA_BYTES  // kernels/bytes_*.h

#include <utility>

#include "host/cpu/kernels.h"

namespace digitron::DIGITRON_ISA {

inline constexpr int kWidth = DIGITRON_VECTOR_FLOATS;  // floats a vector: 16, 8 or 4
static_assert(kLanes % kWidth == 0);

typedef float Vec __attribute__((vector_size(kWidth * sizeof(float)), may_alias));
typedef float UnalignedVec
    __attribute__((vector_size(kWidth * sizeof(float)), may_alias, aligned(sizeof(float))));
typedef int32_t IntVec __attribute__((vector_size(kWidth * sizeof(float)), may_alias));
typedef uint8_t ByteVec __attribute__((vector_size(kWidth), may_alias, aligned(1)));
typedef uint16_t ShortVec __attribute__((vector_size(kWidth * sizeof(uint16_t)), may_alias));

// How many vectors a tile may keep in registers, with some left over for operands.
inline constexpr int kTileVectors = kWidth == 16 ? 24 : 12;

inline Vec load(const float* at) {
  return *reinterpret_cast<const Vec*>(at);
}
inline Vec load_unaligned(const float* at) {
  return *reinterpret_cast<const UnalignedVec*>(at);
}
inline void store(float* at, Vec value) {
  *reinterpret_cast<Vec*>(at) = value;
}
inline void store_unaligned(float* at, Vec value) {
  *reinterpret_cast<UnalignedVec*>(at) = value;
}
inline Vec broadcast(float value) {
  return Vec{} + value;
}
inline IntVec load_shorts(const uint16_t* at) {
  return __builtin_convertvector(*reinterpret_cast<const ShortVec*>(at), IntVec);
}
inline void store_shorts(uint16_t* at, IntVec value) {
  *reinterpret_cast<ShortVec*>(at) = __builtin_convertvector(value, ShortVec);
}
inline IntVec load_bytes(const uint8_t* at) {
  return reinterpret_cast<IntVec>(widen_bytes(at));
}

// Keeps NaN, so that a diverged run shows in the loss.
inline Vec relu(Vec x) {
  return x < 0.0f ? Vec{} : x;
}

// Without subnormal numbers, which cost a hundred cycles for each operation. Moments that see no
// more gradient decay into them and never leave, and so do gradients of samples that are sure. NaN
// stays.
inline Vec flush(Vec x) {
  return ((x < __FLT_MIN__) & (x > -__FLT_MIN__)) ? Vec{} : x;
}

// Element i of the result, of kCount, is element kFrom(i) of a and b, one after the other.
template <int kCount, auto kFrom, class V>
inline auto shuffle(V a, V b) {
  return [=]<int... kIndex>(std::integer_sequence<int, kIndex...>) {
    return __builtin_shufflevector(a, b, kFrom(kIndex)...);
  }
  (std::make_integer_sequence<int, kCount>());
}

template <class V>
inline constexpr int kElements = sizeof(V) / sizeof(V{}[0]);

// Lanes kFirst, kFirst + 1, ... of a and b by turns, half a vector of each.
template <int kFirst, class V>
inline V interleave(V a, V b) {
  return shuffle<kElements<V>, [](int i) { return kFirst + i / 2 + i % 2 * kElements<V>; }>(a, b);
}

// All elements of a, then those of b.
template <class V>
inline auto concatenate(V a, V b) {
  return shuffle<2 * kElements<V>, [](int i) { return i; }>(a, b);
}

// Elements kFirst, kFirst + 2, ... of a, then those of b.
template <int kFirst, class V>
inline V every_second(V a, V b) {
  return shuffle<kElements<V>, [](int i) { return kFirst + 2 * i; }>(a, b);
}

// What the compiler may take for granted. Told that a loop runs at least once, it keeps the sums of
// a tile in registers from the beginning to the end.
inline void assume(bool fact) {
  if (!fact) __builtin_unreachable();
}

// Splits [0, count) into the fewest tiles of at most `most`, as even as can be, and calls f(first,
// size).
template <class F>
inline void for_each_tile(int count, int most, F f) {
  const int tiles = (count + most - 1) / most;
  for (int tile = 0, first = 0; tile < tiles; ++tile) {
    const int size = (count - first + tiles - tile - 1) / (tiles - tile);
    f(first, size);
    first += size;
  }
}

// Calls f with the integral constant that equals `value`, one of 1 to Most: from run-time sizes to
// compile-time tiles, whose accumulators stay in registers.
template <int N>
struct Constant {
  static constexpr int value = N;
  constexpr operator int() const { return N; }
};

template <int Most, class F>
inline void with_constant(int value, F f) {
  if constexpr (Most > 1) {
    if (value < Most) return with_constant<Most - 1>(value, f);
  }
  f(Constant<Most>{});
}

}  // namespace digitron::DIGITRON_ISA
