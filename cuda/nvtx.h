// What a profiler's timeline says about the work below it (NVTX 3): ranges of the domain
// "digitron". Names are registered once, so that a range makes no string, and a profiler can be
// told one of them to capture. Where no profiler listens, a range costs a few stores.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <nvtx3/nvtx3.hpp>

namespace digitron {

struct NvtxDomain {
  static constexpr const char* name = "digitron";
};

// NVTX's category of a range.
enum class RangeKind : uint32_t {
  kEpoch = 1,
  kStep,
  kForward,
  kBackward,
  kGather,
  kLoss,
  kUpdate,
  kEvaluate,
  kRecord
};

// A range's name and category. Registers the name: to be made once and kept.
class RangeName {
 public:
  RangeName(const std::string& text, RangeKind kind);

  const std::string& text() const { return plain_text_; }
  const char* category() const;

  nvtx3::event_attributes attributes() const { return nvtx3::event_attributes(category_, text_); }
  // payload: a number that the timeline shows beside the name.
  nvtx3::event_attributes attributes(uint64_t payload) const {
    return nvtx3::event_attributes(category_, nvtx3::payload(payload), text_);
  }

 private:
  std::string plain_text_;
  nvtx3::registered_string_in<NvtxDomain> text_;
  nvtx3::category category_;
};

// The names that do not depend on the network; its layers' are "conv1 forward", "conv1 backward".
struct RangeNames {
  RangeName epoch{"epoch", RangeKind::kEpoch};  // payload: from 1; over all of its calls
  RangeName step{"step", RangeKind::kStep};     // payload: from 1, over the whole run
  RangeName steps{"steps", RangeKind::kStep};   // of one graph launch; payload: the first
  RangeName evaluate{"evaluate", RangeKind::kEvaluate};
  RangeName batch{"batch", RangeKind::kEvaluate};              // of evaluate; payload: from 1
  RangeName record_graph{"record graph", RangeKind::kRecord};  // around the ranges of its steps
  RangeName gather{"gather", RangeKind::kGather};
  RangeName loss{"loss", RangeKind::kLoss};
  RangeName update{"update", RangeKind::kUpdate};
  RangeName advance{"advance", RangeKind::kUpdate};        // of the step's state, after the update
  RangeName sample_pass{"sample pass", RangeKind::kStep};  // of the fused step
  RangeName timed_sample_pass{"timed sample pass", RangeKind::kStep};  // which has clocks
  RangeName weight_pass{"weight pass", RangeKind::kUpdate};            // likewise
};
const RangeNames& range_names();

// A range of the calling thread, from here to the end of the scope. The name must outlive it.
class NvtxRange {
 public:
  explicit NvtxRange(const RangeName& name) : NvtxRange(name, name.attributes()) {}
  NvtxRange(const RangeName& name, uint64_t payload) : NvtxRange(name, name.attributes(payload)) {}
  ~NvtxRange() { innermost_ = outer_; }
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;

  // The name of the calling thread's innermost range; null where none is open.
  static const RangeName* innermost() { return innermost_; }

 private:
  NvtxRange(const RangeName& name, const nvtx3::event_attributes& attributes)
      : range_(attributes), outer_(std::exchange(innermost_, &name)) {}

  static inline thread_local const RangeName* innermost_ = nullptr;
  nvtx3::scoped_range_in<NvtxDomain> range_;
  const RangeName* outer_;
};

// The range of the epoch that a training is in, which other ranges may overlap: it lasts from the
// call that trains the epoch's first steps to the one that trains its last.
class EpochRange {
 public:
  void begin(int epoch);  // nothing where that one is open
  void end();

 private:
  int epoch_ = 0;  // 0: none is open
  std::optional<nvtx3::unique_range_in<NvtxDomain>> range_;
};

}  // namespace digitron
