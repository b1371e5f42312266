#include "cuda/fused_phases.h"

#include <algorithm>

namespace digitron {

namespace {

constexpr const char* kForward = "forward";
constexpr const char* kBackward = "backward";

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

bool is_sum_of_products(const SampleOp& op) {
  return op.kind == OpKind::kConv || op.kind == OpKind::kLinear;
}

std::vector<Phase> segment_phases(const SampleProgram& program, const SampleSegment& segment,
                                  const std::vector<std::string>& names) {
  std::vector<Phase> phases{{"gather", ""}, {"weights", ""}};
  for (int i = segment.first; i < segment.last; ++i) {
    const std::string& name = names[static_cast<size_t>(i)];
    phases.push_back({name, kForward});
    if (program.ops[i].kind == OpKind::kConv) phases.push_back({name + " activation", kForward});
  }
  if (segment.loss) phases.push_back({"loss", ""});
  if (segment.norm >= 0) {
    const std::string& name = names[static_cast<size_t>(segment.norm)];
    phases.push_back({name + " statistics", kBackward});
    phases.push_back({name, kForward});
    phases.push_back({name, kBackward});
  }
  for (int i = segment.back_first; i-- > segment.back_last;) {
    const SampleOp& op = program.ops[i];
    const std::string& name = names[static_cast<size_t>(i)];
    if (op.kind == OpKind::kBatchNorm) continue;  // the last of a segment
    if (is_sum_of_products(op)) phases.push_back({name + " delta", kBackward});
    if (op.kind != OpKind::kLinear || op.input_grad) phases.push_back({name, kBackward});
  }
  phases.push_back({"end", ""});
  return phases;
}

}  // namespace

SegmentPhases sample_phases(const SampleProgram& program,
                            const std::vector<SampleSegment>& segments,
                            const std::vector<std::string>& names) {
  SegmentPhases all;
  for (const SampleSegment& segment : segments) {
    all.push_back(segment_phases(program, segment, names));
    if (segments.size() == 1) return all;  // which needs no number
    for (Phase& phase : all.back()) phase.name = std::to_string(all.size()) + ": " + phase.name;
  }
  return all;
}

Profile timed_phases(SegmentPhases phases, std::span<const int64_t> clocks,
                     const PassClocks& shape) {
  Profile profile{.unit = "clocks", .phases = {}};
  for (size_t segment = 0; segment < shape.segments; ++segment) {
    for (size_t phase = 0; phase < phases[segment].size(); ++phase) {
      std::vector<double> all, slowest;
      for (size_t step = 0; step < shape.steps; ++step) {
        double most = 0;
        for (size_t block = 0; block < shape.blocks; ++block) {
          const size_t at = shape.of_step(step) + (segment * shape.blocks + block) * kMostPhases;
          all.push_back(static_cast<double>(clocks[at + phase + 1] - clocks[at + phase]));
          most = std::max(most, all.back());
        }
        slowest.push_back(most);
      }
      Phase& timed = phases[segment][phase];
      timed.time = median(all);
      timed.slowest = median(slowest);
      profile.phases.push_back(std::move(timed));
    }
  }
  return profile;
}

}  // namespace digitron
