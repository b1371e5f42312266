#include "cuda/make_step.h"

#include "cuda/fused_step.h"
#include "cuda/layerwise_step.h"
#include "host/core/error.h"

namespace digitron {

namespace {

constexpr const char* kAsked = "asked for, by --step or by the run that is resumed";

ChosenStep layers(const Context& context, const Plan& plan, const char* reason) {
  return {std::make_unique<LayerwiseStep>(context, plan), StepKind::kLayers, reason};
}

}  // namespace

ChosenStep make_step(const Context& context, const Plan& plan) {
  if (context.options.step == StepKind::kLayers) return layers(context, plan, kAsked);
  if (context.options.step == StepKind::kAuto) {
    return layers(context, plan, "the fused step has not run on a GPU yet");
  }
  auto fused = make_fused_step(context, plan);
  if (const auto* reason = std::get_if<std::string>(&fused)) {
    throw InputError("--step fused: " + *reason + "; take --step layers or auto");
  }
  return {std::move(std::get<std::unique_ptr<Step>>(fused)), StepKind::kFused, kAsked};
}

}  // namespace digitron
