#include "cuda/sample_program.h"

#include <algorithm>
#include <vector>

#include "cuda/sample_builder.h"
#include "host/core/fusion.h"
#include "kernels/sample_form.h"

namespace digitron {

namespace {

constexpr FusionRules kFusion{.relu = true, .pooling = true, .dropout = true};

constexpr int kMostWindow = 16;         // a winner's place in its window must fit a byte
constexpr int kLeastGroupedBatch = 32;  // fewer samples would leave too many SMs idle
constexpr size_t kStaticBytes = 1024;   // of shared memory, for what the kernel keeps by itself

// Why a layer has no place in the fused step; nothing for one that has.
struct Refusal {
  const std::string& name;

  template <class Kind>
  std::string operator()(const Kind&) const {
    return "";
  }
  std::string operator()(const Conv2d& conv) const {
    if (conv.kernel != 3 && conv.kernel != 5)
      return name + "'s kernel " + std::to_string(conv.kernel) + " has no fused form";
    if (conv.stride != 1)
      return name + "'s stride " + std::to_string(conv.stride) + " has no fused form";
    if (conv.padding >= conv.kernel)
      return name + "'s padding " + std::to_string(conv.padding) + " has no fused form";
    return "";
  }
  std::string operator()(const MaxPool2d& pool) const {
    if (pool.kernel <= kMostWindow) return "";
    return name + "'s window of " + std::to_string(pool.kernel) + " has no fused form";
  }
};

std::string refusal(const Plan& plan, size_t ops) {
  const Task& task = plan.model.task;
  if (!has_sample_form(pixel_form(task), task.class_count())) {
    return form_text(task.image) + " images in " + std::to_string(task.class_count()) +
           " classes have no fused form";
  }
  for (const PlannedLayer& layer : plan.layers) {
    const std::string reason = std::visit(Refusal{layer.name}, layer.layer);
    if (!reason.empty()) return reason;
  }
  if (ops <= kMostOps) return "";
  return "it has " + std::to_string(ops) + " layers, and the fused step takes " +
         std::to_string(kMostOps);
}

// Linear layers' weights go to shared memory where a part's rows fit beside the samples.
void place_linear_weights(SampleProgram& program, const SampleLimits& limits) {
  const int room = static_cast<int>((limits.shared_bytes - kStaticBytes) / sizeof(float));
  for (int i = 0; i < program.count; ++i) {
    SampleOp& o = program.ops[i];
    const int inputs = o.channels * o.height * o.width;
    if (o.kind != OpKind::kLinear || inputs % 4 != 0) continue;
    const int rows = o.split ? (o.out_channels + limits.parts - 1) / limits.parts : o.out_channels;
    if (program.shared_floats + rows * inputs > room) continue;
    o.weights = program.shared_floats;
    program.shared_floats += rows * inputs;
  }
}

std::string too_large(size_t bytes, const SampleLimits& limits) {
  return "a sample takes " + std::to_string((bytes + 1023) / 1024) +
         " KB of shared memory, this GPU has " + std::to_string(limits.shared_bytes / 1024);
}

// Floats that a sample takes at least: values and convolutions' weights.
size_t least_floats(const Plan& plan) {
  size_t floats = plan.activation_floats / static_cast<size_t>(plan.batch);
  for (const PlannedLayer& layer : plan.layers) {
    if (!std::holds_alternative<Conv2d>(layer.layer)) continue;
    floats += plan.weight(layer).count;
  }
  return floats;
}

}  // namespace

std::vector<SampleSegment> training_segments(const SampleProgram& program) {
  std::vector<int> norms;
  for (int i = 0; i < program.count; ++i) {
    if (program.ops[i].kind == OpKind::kBatchNorm) norms.push_back(i);
  }
  std::vector<SampleSegment> segments;
  int first = 0;
  for (const int norm : norms) {
    segments.push_back({.first = first, .last = norm});
    first = norm;
  }
  int back_last = first;
  while (back_last < program.count && !program.ops[back_last].backward) ++back_last;
  segments.push_back({.first = first,
                      .last = program.count,
                      .loss = true,
                      .back_first = program.count,
                      .back_last = back_last});
  for (size_t i = norms.size(); i-- > 0 && program.ops[norms[i]].input_grad;) {
    const int norm = norms[i];
    first = i == 0 ? 0 : norms[i - 1];
    back_last = first;
    while (!program.ops[back_last].backward) ++back_last;
    // What the op before made is there, unless its windows' winners are wanted too.
    const SampleOp& before = program.ops[norm - 1];
    const bool again = before.kind != OpKind::kConv || before.has_codes();
    segments.push_back({.first = first,
                        .last = again ? norm : norm - 1,
                        .norm = norm,
                        .back_first = norm,
                        .back_last = back_last});
  }
  return segments;
}

std::variant<SampleProgram, std::string> make_sample_program(const Plan& plan,
                                                             const SampleLimits& limits) {
  const std::vector<FusedLayers> layers = fuse(plan, kFusion);
  const std::string reason = refusal(plan, layers.size());
  if (!reason.empty()) return reason;
  size_t bytes = sizeof(float) * least_floats(plan);
  if (bytes > size_t{1} << 26) return too_large(bytes, limits);  // offsets are ints
  for (const int most_floats : {9600, 4800, 2400, 0}) {  // the first that fits is the fastest
    SampleProgram program;
    describe_ops(program, plan, layers);
    shape_tensors(program, most_floats);
    place_tensors(program);
    bytes = sizeof(float) * static_cast<size_t>(program.sample_floats) + kStaticBytes;
    if (bytes > limits.shared_bytes) continue;
    const bool vectors =  // nothing but linear layers and what stands between them
        std::none_of(program.ops, program.ops + program.count, [](const SampleOp& op) {
          return op.kind == OpKind::kConv || op.kind == OpKind::kBatchNorm;
        });
    const bool grouped =
        vectors && plan.batch >= kLeastGroupedBatch && kMostSamples * bytes <= limits.shared_bytes;
    program.samples = grouped ? kMostSamples : 1;
    program.shared_floats = program.samples * program.sample_floats;
    place_linear_weights(program, limits);
    return program;
  }
  return too_large(bytes, limits);
}

std::vector<std::string> op_names(const Plan& plan) {
  std::vector<std::string> names;
  for (const FusedLayers& layers : fuse(plan, kFusion)) names.push_back(layers.layer->name);
  return names;
}

}  // namespace digitron
