#include "cuda/make_step.h"

#include "cuda/fused_step.h"
#include "cuda/layerwise_step.h"
#include "host/core/error.h"

namespace digitron {

namespace {

constexpr const char* kAsked = "asked for, by --step or by the run that is resumed";

ChosenStep layers(const Context& context, const Plan& plan, const std::string& reason) {
  return {std::make_unique<LayerwiseStep>(context, plan), StepKind::kLayers, reason};
}

}  // namespace

ChosenStep make_step(const Context& context, const Plan& plan) {
  const StepKind asked = context.options.step;
  if (asked == StepKind::kLayers) return layers(context, plan, kAsked);
  const auto program = fused_program(context, plan);
  if (const auto* reason = std::get_if<std::string>(&program)) {
    if (asked == StepKind::kAuto) return layers(context, plan, *reason);
    throw InputError("--step fused: " + *reason + "; take --step layers or auto");
  }
  if (asked == StepKind::kAuto) {
    return layers(context, plan, "the fused step has not run on a GPU yet");
  }
  return {std::make_unique<FusedStep>(context, plan, std::get<FusedProgram>(program)),
          StepKind::kFused, kAsked};
}

}  // namespace digitron
