// Which of the ways through a step a plan takes.
#pragma once

#include <memory>
#include <string>

#include "cuda/context.h"
#include "cuda/step.h"

namespace digitron {

struct ChosenStep {
  std::unique_ptr<Step> step;
  StepKind kind;       // not kAuto
  std::string reason;  // why this one: "the fused step has not run on a GPU yet"
};

// Chooses by the context's options. kAuto decides by a rule and times nothing, so that two runs
// take the same way, whose sums round alike. Context and plan must outlive it. Throws InputError
// for a plan without the form that is asked for, and what the step's constructor throws.
ChosenStep make_step(const Context& context, const Plan& plan);

}  // namespace digitron
