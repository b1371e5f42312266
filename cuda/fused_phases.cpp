#include "cuda/fused_phases.h"

#include <algorithm>

namespace digitron {

namespace {

constexpr const char* kForward = "forward";
constexpr const char* kBackward = "backward";
constexpr size_t kMostLanes = 16;

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

// A block of a step. Its phases lie by their clocks; by the timer, only its beginning.
struct BlockLane {
  std::string name;
  int step;
  const BlockTimes& times;
  double begin_seconds, clock_seconds;

  // From one mark to another.
  TraceEvent event(const std::string& of, const std::string& category, size_t first,
                   size_t last) const {
    const auto seconds = [&](size_t from, size_t to) {
      return clock_seconds * static_cast<double>(times.marks[to] - times.marks[from]);
    };
    return {name, of, category, begin_seconds + seconds(0, first), seconds(first, last), step};
  }

  void add_to(std::vector<TraceEvent>& events, const std::string& pass,
              const std::vector<Phase>& phases) const {
    events.push_back(event(pass, "step", 0, phases.size()));
    for (size_t i = 0; i < phases.size(); ++i) {
      const Phase& phase = phases[i];
      const std::string direction = phase.direction.empty() ? "" : " " + phase.direction;
      events.push_back(event(phase.name + direction, phase.direction, i, i + 1));
    }
  }
};

// How long a clock takes. All multiprocessors have the same, and over all blocks the timer's steps
// even out.
double clock_seconds(const SegmentPhases& phases, std::span<const BlockTimes> step) {
  const size_t blocks = step.size() / phases.size();
  double nanoseconds = 0, clocks = 0;
  for (size_t i = 0; i < step.size(); ++i) {
    const size_t last = phases[i / blocks].size();
    nanoseconds += static_cast<double>(step[i].end_ns - step[i].begin_ns);
    clocks += static_cast<double>(step[i].marks[last] - step[i].marks[0]);
  }
  return 1e-9 * nanoseconds / clocks;
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

Profile timed_phases(SegmentPhases phases, std::span<const BlockTimes> times,
                     const PassClocks& shape) {
  Profile profile{.unit = "clocks", .phases = {}};
  for (size_t segment = 0; segment < shape.segments; ++segment) {
    for (size_t phase = 0; phase < phases[segment].size(); ++phase) {
      std::vector<double> all, slowest;
      for (size_t step = 0; step < shape.steps; ++step) {
        double most = 0;
        for (size_t block = 0; block < shape.blocks; ++block) {
          const int64_t* marks = times[shape.of_step(step) + segment * shape.blocks + block].marks;
          all.push_back(static_cast<double>(marks[phase + 1] - marks[phase]));
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

std::vector<TraceEvent> phase_lanes(const std::string& pass, const SegmentPhases& phases,
                                    std::span<const BlockTimes> times, const PassClocks& shape) {
  const std::span<const BlockTimes> step = times.last(shape.of_step(1));
  const auto first = std::min_element(
      step.begin(), step.end(),
      [](const BlockTimes& a, const BlockTimes& b) { return a.begin_ns < b.begin_ns; });
  const double scale = clock_seconds(phases, step);
  const size_t shown = std::clamp<size_t>(kMostLanes / shape.segments, 1, shape.blocks);
  std::vector<TraceEvent> events;
  for (size_t segment = 0; segment < shape.segments; ++segment) {
    const std::string number = shape.segments > 1 ? std::to_string(segment + 1) + ": " : "";
    for (size_t block = 0; block < shown; ++block) {
      const BlockTimes& own = step[segment * shape.blocks + block];
      const BlockLane lane{number + "block " + std::to_string(block),
                           static_cast<int>(shape.steps) - 1, own,
                           1e-9 * static_cast<double>(own.begin_ns - first->begin_ns), scale};
      lane.add_to(events, pass, phases[segment]);
    }
  }
  return events;
}

}  // namespace digitron
