// The step as two kernels for all layers at once, for plans that fit: see kernels/sample_pass.cu
// and kernels/weight_pass.cu.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cuda/context.h"
#include "cuda/fused_phases.h"
#include "cuda/phase_events.h"
#include "cuda/step.h"
#include "kernels/sample_pass.h"
#include "kernels/weight_pass.h"

namespace digitron {

// How the two kernels run; what they compute does not depend on it.
struct FusedForm {
  int parts;       // blocks of a sample: 1, or 2 from compute capability 9.0 on
  bool early;      // kernels start before the one in front has ended, likewise
  int named = -1;  // the program's number, where it has a kernel of its own
};

// What a plan's fused step runs, and how.
struct FusedProgram {
  SampleProgram samples;
  FusedForm form;
};

// Of a plan on the calling thread's GPU; or why there is none, to follow "layer by layer: " and
// "--step fused: ". Throws MachineError.
std::variant<FusedProgram, std::string> fused_program(const Context& context, const Plan& plan);

class FusedStep final : public Step {
 public:
  // program: the plan's. The context must outlive it. Throws MachineError.
  FusedStep(const Context& context, const Plan& plan, const FusedProgram& program);

  std::string description() const override;
  std::vector<Detail> details() const override;
  std::vector<Slice> slices() const override { return memory_.slices(); }
  int evaluation_batch(int count) const override;
  void prepare(int, bool) override {}
  void train(const StepData& data, int n, int steps) override;
  void evaluate(const StepData& data, int n, int steps) override;
  const float* forward(const StepData& data, int n) override;
  Profile profile(const StepData& data, int n, int steps, bool trace) override;

 private:
  // The step'th one behind the state. times: (segments, blocks), where its sample
  // pass leaves them, or null.
  void enqueue_step(const StepData& data, int n, int step, BlockTimes* times) const;
  void enqueue_sample_pass(const StepData& data, SampleBuffers results,
                           const Augmentation& augmentation, const SampleLaunch& how) const;
  SampleLaunch forward_launch(int n) const;
  int blocks(int n) const;  // of a sample pass

  cudaStream_t stream() const { return context_.stream.get(); }

  const Context& context_;
  const int batch_;
  const PixelForm pixels_;
  const SampleProgram program_;
  const std::vector<SampleSegment> segments_;  // of a training step
  const WeightProgram weights_;
  const FusedForm form_;
  const SegmentPhases phases_;  // without times

  Arena memory_;
  float* records_ = nullptr;    // (batch_, record_floats)
  float* cross_ = nullptr;      // (batch_, cross_floats)
  LossSums* losses_ = nullptr;  // one a sample
  float* logits_ = nullptr;     // (samples, 10)
};

}  // namespace digitron
