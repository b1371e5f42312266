// For tests of the CPU engine's kernels: memory with guards around what a kernel may write, and a
// fixture that runs each test with every instruction set of this machine.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <string>
#include <vector>

#include "host/core/model.h"
#include "host/cpu/aligned.h"
#include "host/cpu/arch.h"
#include "tests/engine_testing.h"

namespace digitron {

inline void PrintTo(const CpuKernels* kernels, std::ostream* out) {
  *out << kernels->name;
}

namespace testing {

class CpuKernelsTest : public ::testing::TestWithParam<const CpuKernels*> {
 protected:
  const CpuKernels& kernels_ = *GetParam();
};

inline std::string instruction_set(const ::testing::TestParamInfo<const CpuKernels*>& info) {
  std::string name = info.param->name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}

// As floats not a number, so that what a kernel reads outside its tensors shows in its result.
inline constexpr uint32_t kGuardBits = 0x7fc0beef;

// `count` elements on a vector's boundary, guard bits inside and around them.
template <class T>
class Guarded {
 public:
  explicit Guarded(size_t count) : count_(count), memory_(make_aligned<T>(count + 2 * kMargin)) {
    for (size_t i = 0; i < count + 2 * kMargin; ++i) memory_[i] = guard();
  }
  Guarded(size_t count, Random& random) : Guarded(count) {
    for (size_t i = 0; i < count; ++i) (*this)[i] = static_cast<T>(random.real(-1, 1));
  }

  T* data() { return memory_.get() + kMargin; }
  const T* data() const { return memory_.get() + kMargin; }
  T& operator[](size_t i) { return data()[i]; }
  size_t size() const { return count_; }
  std::vector<double> values() const { return {data(), data() + count_}; }

  static bool is_guard(const T& value) {
    const T expected = guard();
    return std::memcmp(&value, &expected, sizeof(T)) == 0;
  }
  bool intact() const {
    return std::all_of(memory_.get(), memory_.get() + kMargin, is_guard) &&
           std::all_of(memory_.get() + kMargin + count_, memory_.get() + 2 * kMargin + count_,
                       is_guard);
  }

 private:
  static constexpr size_t kMargin = 64;

  static T guard() {
    T value;
    std::memcpy(&value, &kGuardBits, sizeof(T));
    return value;
  }

  size_t count_;
  AlignedArray<T> memory_;
};

// A block's tensor whose rows and channels have guards between them.
class LaneTensor {
 public:
  explicit LaneTensor(const Shape& shape)
      : shape_(shape), memory_(static_cast<size_t>(channel_stride() * shape.channels)) {}
  LaneTensor(const Shape& shape, Random& random) : LaneTensor(shape) {
    set(random.reals(static_cast<size_t>(kLanes) * shape.count()));
  }

  Tensor view() {
    return {memory_.data(), shape_.channels, shape_.height,
            shape_.width,   row_stride(),    channel_stride()};
  }
  const Shape& shape() const { return shape_; }

  // Values as (kLanes, channels, height, width), the order of the reference operations.
  std::vector<double> values() {
    std::vector<double> result;
    for_each([&](float& value) { result.push_back(value); });
    return result;
  }
  void set(const std::vector<double>& values) {
    size_t i = 0;
    for_each([&](float& value) { value = static_cast<float>(values[i++]); });
  }

  // Whether everything outside the tensor is as it was.
  bool intact() {
    std::vector<bool> inside(memory_.size());
    for_each([&](float& value) { inside[static_cast<size_t>(&value - memory_.data())] = true; });
    for (size_t i = 0; i < memory_.size(); ++i) {
      if (!inside[i] && !Guarded<float>::is_guard(memory_[i])) return false;
    }
    return memory_.intact();
  }

 private:
  std::ptrdiff_t row_stride() const { return (std::ptrdiff_t{shape_.width} + 1) * kLanes; }
  std::ptrdiff_t channel_stride() const { return (shape_.height + 1) * row_stride(); }

  template <class F>
  void for_each(F f) {
    const Tensor tensor = view();
    for (int lane = 0; lane < kLanes; ++lane)
      for (int c = 0; c < tensor.channels; ++c)
        for (int y = 0; y < tensor.height; ++y)
          for (int x = 0; x < tensor.width; ++x) f(tensor.row(c, y)[x * kLanes + lane]);
  }

  Shape shape_;
  Guarded<float> memory_;
};

// Where each output's winner stands in its window, as (kLanes, channels, height, width), with
// guards between the channels.
struct WinnerTable {
  explicit WinnerTable(const Shape& out)
      : shape(out), memory(static_cast<size_t>(channel_stride() * out.channels)) {}

  std::ptrdiff_t channel_stride() const {
    return (std::ptrdiff_t{shape.height} * shape.width + 1) * kLanes;
  }
  Winners view() { return {memory.data(), channel_stride()}; }
  uint16_t& at(size_t i) {  // i: of that order
    const size_t plane = size_t(shape.height) * size_t(shape.width);
    const size_t position = i % plane;
    const size_t channel = i / plane % size_t(shape.channels);
    const size_t lane = i / size_t(shape.count());
    return memory[channel * size_t(channel_stride()) + position * kLanes + lane];
  }

  Shape shape;
  Guarded<uint16_t> memory;
};

// (rows, columns) transposed: between one row per sample and one lane per sample.
inline std::vector<double> transposed(const std::vector<double>& matrix, int rows) {
  const size_t columns = matrix.size() / static_cast<size_t>(rows);
  std::vector<double> result;
  for (size_t c = 0; c < columns; ++c)
    for (size_t r = 0; r < static_cast<size_t>(rows); ++r)
      result.push_back(matrix[r * columns + c]);
  return result;
}

}  // namespace testing
}  // namespace digitron
