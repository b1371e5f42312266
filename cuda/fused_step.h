// The step as a few kernels for all layers at once.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "cuda/context.h"
#include "cuda/step.h"

namespace digitron {

// The plan's fused step, or why it has none: "bn1 needs the whole batch". Context and plan must
// outlive it. Throws MachineError.
std::variant<std::unique_ptr<Step>, std::string> make_fused_step(const Context& context,
                                                                 const Plan& plan);

}  // namespace digitron
