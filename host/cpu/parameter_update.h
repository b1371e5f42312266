// The optimiser's step over parts of the flat parameter buffer, in one training step.
#pragma once

#include "host/cpu/kernels.h"

namespace digitron {

class ParameterUpdate {
 public:
  // Buffers flat in the plan's layout; null those that the optimiser does not use. The gradients
  // are made by whom applies the step.
  struct Buffers {
    float* gradients;
    float* parameters;
    float* momentum;
    float* second_moment;
    float* average;
  };

  ParameterUpdate(const CpuKernels& kernels, const Buffers& buffers, const Optimizer& optimizer,
                  const StepRates& rates)
      : kernels_(kernels), buffers_(buffers), optimizer_(optimizer), rates_(rates) {}

  float* gradients() const { return buffers_.gradients; }

  // Parameters [offset, offset + count), whose gradients are there.
  void apply(size_t offset, int count) const {
    const float* g = buffers_.gradients + offset;
    if (is_plain_sgd()) return kernels_.sgd(sgd_step(offset), g, count);
    const auto at = [&](float* buffer) { return buffer ? buffer + offset : nullptr; };
    kernels_.update({at(buffers_.parameters), at(buffers_.momentum), at(buffers_.second_moment),
                     at(buffers_.average), update_rule(optimizer_), rates_},
                    g, count);
  }

  // The one optimiser that a kernel which makes gradients can apply then and there. The others cost
  // a pass over the parameters more, which are in cache: not worth a copy of the matrix product for
  // each optimiser.
  bool is_plain_sgd() const {
    return optimizer_.kind == OptimizerKind::kSgd && optimizer_.average_decay == 0;
  }
  SgdStep sgd_step(size_t offset) const {
    return {buffers_.parameters + offset, buffers_.momentum + offset, rates_.lr,
            optimizer_.momentum, optimizer_.weight_decay};
  }

 private:
  const CpuKernels& kernels_;
  Buffers buffers_;
  const Optimizer& optimizer_;
  const StepRates& rates_;
};

}  // namespace digitron
