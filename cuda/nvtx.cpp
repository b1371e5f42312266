#include "cuda/nvtx.h"

namespace digitron {

namespace {

// In the order of RangeKind.
constexpr const char* kCategories[] = {"epoch", "step",   "forward",  "backward",    "gather",
                                       "loss",  "update", "evaluate", "record graph"};

nvtx3::category registered(RangeKind kind) {
  const auto id = static_cast<uint32_t>(kind);
  return nvtx3::named_category_in<NvtxDomain>(id, kCategories[id - 1]);
}

}  // namespace

RangeName::RangeName(const std::string& text, RangeKind kind)
    : plain_text_(text), text_(text), category_(registered(kind)) {}

const char* RangeName::category() const {
  return kCategories[category_.get_id() - 1];
}

const RangeNames& range_names() {
  static const RangeNames names;
  return names;
}

void EpochRange::begin(int epoch) {
  if (epoch == epoch_) return;
  end();
  range_.emplace(range_names().epoch.attributes(static_cast<uint64_t>(epoch)));
  epoch_ = epoch;
}

void EpochRange::end() {
  range_.reset();
  epoch_ = 0;
}

}  // namespace digitron
