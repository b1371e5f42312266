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
  // Of what a step is given and leaves: its images and labels read; parameters, the optimiser's
  // buffers and running statistics read and written once. Not of activations and gradients: how
  // much of these goes to memory is the engine's doing. Where a cache holds the parameters from
  // step to step, memory sees less, and the share can pass 1.
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
};

// A row for compute and one for memory: work of the step, rate, ceiling and how it was measured,
// share; under them what each would take at its ceiling.
std::string roofline_table(const Roofline& roofline);

// {"flops", "bytes", "step_seconds", "compute": {"per_second", "ceiling", "share",
// "measured"}, "memory": {…}}
nlohmann::ordered_json roofline_json(const Roofline& roofline);

// From what roofline_json wrote.
Roofline roofline_from_json(const nlohmann::ordered_json& json);

}  // namespace digitron
