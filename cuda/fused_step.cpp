#include "cuda/fused_step.h"

#include <algorithm>

#include "cuda/check.h"
#include "cuda/copy.h"
#include "cuda/fused_phases.h"
#include "cuda/named_program.h"
#include "cuda/nvtx.h"
#include "cuda/sample_program.h"
#include "cuda/weight_program.h"
#include "kernels/sample_form.h"

namespace digitron {

namespace {

constexpr int kMostEvaluated = 10'000;  // samples at once: MNIST's test set

int attribute(cudaDeviceAttr which) {
  int device = 0, value = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&value, which, device), "cudaDeviceGetAttribute");
  return value;
}

// What the options ask for, or the most that the GPU does.
std::variant<FusedForm, std::string> form_of(const CudaOptions& options) {
  const int major = attribute(cudaDevAttrComputeCapabilityMajor);
  const bool clusters = major >= 9;
  if (options.blocks_per_sample > 1 && !clusters) {
    return "two blocks a sample take compute capability 9.0, and this GPU has " +
           std::to_string(major) + "." +
           std::to_string(attribute(cudaDevAttrComputeCapabilityMinor));
  }
  const int most = clusters ? 2 : 1;
  return FusedForm{options.blocks_per_sample == 0 ? most : options.blocks_per_sample,
                   clusters && options.dependent_launch};
}

}  // namespace

FusedStep::FusedStep(const Context& context, const Plan& plan, const FusedProgram& program)
    : context_(context),
      batch_(plan.batch),
      pixels_(pixel_form(plan.model.task)),
      program_(program.samples),
      segments_(training_segments(program.samples)),
      weights_(make_weight_program(program.samples)),
      form_(program.form),
      phases_(sample_phases(program_, segments_, op_names(plan))) {
  const auto most = static_cast<size_t>(evaluation_batch(kMostEvaluated));
  const auto batch = static_cast<size_t>(batch_);
  memory_.add("records", &records_, batch * static_cast<size_t>(program_.record_floats));
  memory_.add("between segments", &cross_, batch * static_cast<size_t>(program_.cross_floats));
  memory_.add("losses", &losses_, most);
  memory_.add("logits", &logits_, most * kClasses);
  memory_.allocate();
  check(prepare_sample_pass(program_, form_.parts, form_.named), "cudaFuncSetAttribute");
}

std::string FusedStep::description() const {
  const std::string kernels = std::to_string(segments_.size() + 1) + " kernels a step";
  return "fused, " + kernels + (form_.parts == 2 ? ", two blocks a sample" : "");
}

std::vector<Detail> FusedStep::details() const {
  const std::string group = "fused step";
  return {
      {group, "samples of a group", int64_t{program_.samples}},
      {group, "blocks of a group", int64_t{form_.parts}},
      {group, "dependent launch", form_.early ? "yes" : "no"},
      {group, "program", form_.named >= 0 ? "constant" : "argument"},
      {group, "shared bytes of a block", int64_t{program_.shared_floats} * int64_t{sizeof(float)}},
      {group, "record bytes of a sample",
       int64_t{program_.record_floats} * int64_t{sizeof(float)}}};
}

int FusedStep::evaluation_batch(int count) const {
  return std::max(batch_, std::min(count, kMostEvaluated));
}

void FusedStep::train(const StepData& data, int n, int steps) {
  for (int step = 0; step < steps; ++step) enqueue_step(data, n, step, nullptr);
  check(advance_steps(data.state, steps, n, stream()), "advance_steps");
}

int FusedStep::blocks(int n) const {
  const int groups = (n + program_.samples - 1) / program_.samples;
  return groups * form_.parts;
}

Profile FusedStep::profile(const StepData& data, int n, int steps, bool trace) {
  const PassClocks shape = {static_cast<size_t>(steps), segments_.size(),
                            static_cast<size_t>(blocks(n))};
  Arena memory;
  BlockTimes* times = nullptr;
  memory.add("clocks", &times, shape.count());
  memory.allocate();
  PhaseEvents events(stream(), 1, 1);  // of all steps: between kernels they would keep them apart
  for (int step = 0; step < steps; ++step) {
    enqueue_step(data, n, step, times + shape.of_step(static_cast<size_t>(step)));
  }
  check(advance_steps(data.state, steps, n, stream()), "advance_steps");
  events.mark("steps", "");
  events.end_step();
  const std::vector<BlockTimes> left = download(times, shape.count(), stream());
  Profile profile = timed_phases(phases_, left, shape);
  profile.step_seconds = events.profile().step_seconds / steps;
  if (trace) {
    profile.trace = phase_lanes(range_names().timed_sample_pass.text(), phases_, left, shape);
  }
  return profile;
}

void FusedStep::enqueue_step(const StepData& data, int n, int step, BlockTimes* times) const {
  const Training& training = *data.training;
  const auto in_graph = static_cast<uint32_t>(step);
  // The first kernel reads the state that the one in front of it may still write.
  bool early = form_.early && step > 0;
  for (const SampleSegment& segment : segments_) {
    enqueue_sample_pass(data, {.records = records_, .cross = cross_, .times = times},
                        training.augmentation,
                        {n, form_.parts, in_graph, early, true, training.label_smoothing, pixels_,
                         segment, form_.named});
    early = form_.early;
    if (times) times += blocks(n);
  }
  const NvtxRange range(range_names().weight_pass);
  check(weight_pass(weights_, data.buffers, records_, losses_, data.metrics,
                    update_rule(training.optimizer), data.rates, data.state, in_graph, n,
                    form_.early, stream()),
        "weight_pass");
}

void FusedStep::evaluate(const StepData& data, int n, int steps) {
  for (int step = 0; step < steps; ++step) {
    enqueue_sample_pass(data, {}, {}, forward_launch(n));
    check(advance(data.state, data.metrics, losses_, static_cast<size_t>(n), n, stream()),
          "advance");
  }
}

const float* FusedStep::forward(const StepData& data, int n) {
  enqueue_sample_pass(data, {.logits = logits_}, {}, forward_launch(n));
  return logits_;
}

// The whole network forward, with nothing in front that it could start before.
SampleLaunch FusedStep::forward_launch(int n) const {
  return {n,          form_.parts, 0,       false,
          false,      0,           pixels_, {.last = program_.count, .loss = true},
          form_.named};
}

// results: where they go; what is read is put in here.
void FusedStep::enqueue_sample_pass(const StepData& data, SampleBuffers results,
                                    const Augmentation& augmentation,
                                    const SampleLaunch& how) const {
  results.images = data.samples.images;
  results.labels = data.samples.labels;
  results.state = data.state;
  results.parameters = data.buffers.w;
  results.running = data.running_statistics;
  results.losses = losses_;
  const RangeNames& names = range_names();
  const NvtxRange range(results.times ? names.timed_sample_pass : names.sample_pass);
  check(sample_pass(program_, results, augmentation, how, stream()), "sample_pass");
}

std::variant<FusedProgram, std::string> fused_program(const Context& context, const Plan& plan) {
  if (context.options.tf32) return "it computes in fp32, and --precision is tf32";
  const auto made_form = form_of(context.options);
  if (const auto* reason = std::get_if<std::string>(&made_form)) return *reason;
  FusedForm form = std::get<FusedForm>(made_form);
  const auto shared = static_cast<size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
  const auto made = make_sample_program(plan, {shared, form.parts});
  if (const auto* reason = std::get_if<std::string>(&made)) return *reason;
  const auto& program = std::get<SampleProgram>(made);
  if (context.options.constant_program) form.named = find_named_program(program, form.parts);
  return FusedProgram{program, form};
}

}  // namespace digitron
