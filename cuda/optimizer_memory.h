// The buffers that an optimiser keeps beside the parameters, in device memory of their own: which
// there are changes with the optimiser.
#pragma once

#include "cuda/arena.h"
#include "host/core/engine.h"

namespace digitron {

class OptimizerMemory {
 public:
  OptimizerMemory() = default;
  // What `optimizer` uses, `floats` each, not initialised. Throws MachineError.
  OptimizerMemory(const Optimizer& optimizer, size_t floats);

  // Flat, in the plan's layout; null for one that the optimiser does not use.
  float* momentum() const { return momentum_; }
  float* second_moment() const { return second_moment_; }
  float* average() const { return average_; }

  const std::vector<Slice>& slices() const { return arena_.slices(); }

 private:
  Arena arena_;
  float* momentum_ = nullptr;
  float* second_moment_ = nullptr;
  float* average_ = nullptr;
};

}  // namespace digitron
