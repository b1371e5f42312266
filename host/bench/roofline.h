// How near a training step comes to what its device can do at most.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "host/core/devices.h"

namespace digitron {

// What a step has to do, by the plan.
struct StepWork {
  // Of the layers, forward and backward, a multiply-add counting 2; the loss and the optimiser,
  // which the plan does not count, come to less than a hundredth.
  int64_t flops = 0;
  // That no engine can leave out, if everything that the step makes for itself stayed in caches:
  // its images and labels read; parameters, the optimiser's buffers and running statistics read and
  // written once. Activations and gradients are not among them: how much of these goes to memory is
  // the engine's doing.
  int64_t bytes = 0;
};

StepWork step_work(const Plan& plan, const Optimizer& optimizer);

struct Roofline {
  StepWork work;
  double step_seconds = 0;
  Ceilings ceilings;

  double flops_per_second() const { return static_cast<double>(work.flops) / step_seconds; }
  double bytes_per_second() const { return static_cast<double>(work.bytes) / step_seconds; }
  // Parts of the ceilings, 1 for all.
  double compute_share() const { return flops_per_second() / ceilings.flops_per_second; }
  double memory_share() const { return bytes_per_second() / ceilings.bytes_per_second; }
  // The least time that the ceilings allow the step.
  double bound_seconds() const;
};

// A row for compute and one for memory: work of the step, rate, ceiling and how it was measured,
// share; under them the bound.
std::string roofline_table(const Roofline& roofline);

// {"flops", "bytes", "step_seconds", "bound_seconds", "compute": {"per_second", "ceiling", "share",
// "measured"}, "memory": {…}}
nlohmann::ordered_json roofline_json(const Roofline& roofline);

}  // namespace digitron
