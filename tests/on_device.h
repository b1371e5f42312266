// Device memory for the tests of kernels.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace digitron::testing {

// Device memory with the values of a vector.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : initial_(values) {
    EXPECT_EQ(cudaMalloc(reinterpret_cast<void**>(&pointer_), bytes()), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(pointer_, values.data(), bytes(), cudaMemcpyHostToDevice), cudaSuccess);
  }
  explicit OnDevice(size_t count) : OnDevice(std::vector<T>(count)) {}
  ~OnDevice() { cudaFree(pointer_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  operator T*() { return pointer_; }
  std::vector<T> values() const {
    std::vector<T> host = initial_;
    EXPECT_EQ(cudaMemcpy(host.data(), pointer_, bytes(), cudaMemcpyDeviceToHost), cudaSuccess);
    return host;
  }

 private:
  size_t bytes() const { return initial_.size() * sizeof(T); }

  std::vector<T> initial_;
  T* pointer_ = nullptr;
};

}  // namespace digitron::testing
