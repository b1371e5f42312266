// Device memory that comes and goes with what an engine is told: the data sets, with what an epoch
// over them leaves and takes, and the optimiser's buffers.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/arena.h"
#include "host/core/engine.h"
#include "kernels/step_state.h"

namespace digitron {

struct DeviceSamples {
  uint8_t* images = nullptr;  // (count, pixels)
  uint8_t* labels = nullptr;  // (count)
  int count = 0;
};

class DataMemory {
 public:
  DataMemory() = default;
  // Copies the data sets to the device, and takes room for the steps of the longer one in batches
  // of `batch`. Waits for the stream. Throws MachineError.
  DataMemory(const Dataset& train, const Dataset& held_out, int batch, cudaStream_t stream);

  const DeviceSamples& train() const { return train_; }
  const DeviceSamples& held_out() const { return held_out_; }
  LossSums* metrics() const { return metrics_; }  // one a step
  StepRates* rates() const { return rates_; }     // likewise

  const std::vector<Slice>& slices() const { return arena_.slices(); }

 private:
  Arena arena_;
  DeviceSamples train_, held_out_;
  LossSums* metrics_ = nullptr;
  StepRates* rates_ = nullptr;
};

// The buffers that an optimiser keeps beside the parameters.
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
