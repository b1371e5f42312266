#include "cuda/fused_step.h"

#include <algorithm>

#include "cuda/check.h"
#include "cuda/sample_program.h"
#include "host/shared/dataset_constants.h"

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
      program_(program.samples),
      weights_(make_weight_program(program.samples)),
      form_(program.form) {
  const auto most = static_cast<size_t>(evaluation_batch(kMostEvaluated));
  const size_t records = static_cast<size_t>(batch_) * static_cast<size_t>(program_.record_floats);
  memory_.add("records", &records_, records);
  memory_.add("losses", &losses_, most);
  memory_.add("logits", &logits_, most * kClasses);
  memory_.allocate();
  check(prepare_sample_pass(program_, form_.parts), "cudaFuncSetAttribute");
}

std::string FusedStep::description() const {
  return form_.parts == 1 ? "fused" : "fused, two blocks a sample";
}

std::vector<Detail> FusedStep::details() const {
  const std::string group = "fused step";
  return {
      {group, "samples of a group", int64_t{program_.samples}},
      {group, "blocks of a group", int64_t{form_.parts}},
      {group, "dependent launch", form_.early ? "yes" : "no"},
      {group, "shared bytes of a block", int64_t{program_.shared_floats} * int64_t{sizeof(float)}},
      {group, "record bytes of a sample",
       int64_t{program_.record_floats} * int64_t{sizeof(float)}}};
}

int FusedStep::evaluation_batch(int count) const {
  return std::max(batch_, std::min(count, kMostEvaluated));
}

void FusedStep::train(const StepData& data, int n, int steps) {
  const Training& training = *data.training;
  const UpdateRule rule = update_rule(training.optimizer);
  for (int step = 0; step < steps; ++step) {
    const auto in_graph = static_cast<uint32_t>(step);
    // The first reads the state that the kernel in front may still write.
    const SampleLaunch how = {n, form_.parts, in_graph, form_.early && step > 0,
                              training.label_smoothing};
    enqueue_sample_pass(data, {.records = records_}, training.augmentation, how);
    check(weight_pass(weights_, data.buffers, records_, losses_, data.metrics, rule, data.rates,
                      data.state, in_graph, n, form_.early, stream()),
          "weight_pass");
  }
  check(advance_steps(data.state, steps, n, stream()), "advance_steps");
}

void FusedStep::evaluate(const StepData& data, int n, int steps) {
  for (int step = 0; step < steps; ++step) {
    enqueue_sample_pass(data, {}, {}, {n, form_.parts, 0, false, 0});
    check(advance(data.state, data.metrics, losses_, static_cast<size_t>(n), n, stream()),
          "advance");
  }
}

const float* FusedStep::forward(const StepData& data, int n) {
  enqueue_sample_pass(data, {.logits = logits_}, {}, {n, form_.parts, 0, false, 0});
  return logits_;
}

// results: where they go; what is read is put in here.
void FusedStep::enqueue_sample_pass(const StepData& data, SampleBuffers results,
                                    const Augmentation& augmentation,
                                    const SampleLaunch& how) const {
  results.images = data.samples.images;
  results.labels = data.samples.labels;
  results.state = data.state;
  results.parameters = data.buffers.w;
  results.losses = losses_;
  check(sample_pass(program_, results, augmentation, how, stream()), "sample_pass");
}

std::variant<FusedProgram, std::string> fused_program(const Context& context, const Plan& plan) {
  if (context.options.tf32) return "it computes in fp32, and --precision is tf32";
  const auto form = form_of(context.options);
  if (const auto* reason = std::get_if<std::string>(&form)) return *reason;
  const int parts = std::get<FusedForm>(form).parts;
  const auto shared = static_cast<size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
  const auto program = make_sample_program(plan, {shared, parts});
  if (const auto* reason = std::get_if<std::string>(&program)) return *reason;
  return FusedProgram{std::get<SampleProgram>(program), std::get<FusedForm>(form)};
}

}  // namespace digitron
