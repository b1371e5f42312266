#include "host/core/fusion.h"

namespace digitron {

namespace {

class Fuser {
 public:
  Fuser(const Plan& plan, const FusionRules& rules) : plan_(plan), rules_(rules) {}

  bool done() const { return at_ == plan_.layers.size(); }

  FusedLayers next() {
    const PlannedLayer& layer = plan_.layers[at_];
    FusedLayers fused{&layer, static_cast<int>(at_++), layer.out};
    std::visit([&](const auto& kind) { take_followers(fused, kind); }, layer.layer);
    return fused;
  }

 private:
  // To take nothing along is right for any kind of layer.
  template <class Kind>
  void take_followers(FusedLayers&, const Kind&) {}
  void take_followers(FusedLayers& fused, const Conv2d&) { take_relu_and_pool(fused, true); }
  void take_followers(FusedLayers& fused, const BatchNorm2d&) {
    take_relu_and_pool(fused, rules_.relu);
  }
  void take_followers(FusedLayers& fused, const MaxPool2d&) { take_relu(fused, rules_.relu); }
  void take_followers(FusedLayers& fused, const Linear&) {
    take_relu(fused, true);
    if (fused.relu && rules_.dropout && is<Dropout>(at_)) {
      fused.dropout_index = static_cast<int>(at_);
      fused.dropout = &plan_.layers[at_++];
    }
  }

  template <class Kind>
  bool is(size_t layer) const {
    return layer < plan_.layers.size() && std::holds_alternative<Kind>(plan_.layers[layer].layer);
  }

  void take_relu(FusedLayers& fused, bool wanted) {
    while (wanted && is<ReLU>(at_)) {
      fused.relu = true;
      ++at_;
    }
  }

  void take_relu_and_pool(FusedLayers& fused, bool relu) {
    take_relu(fused, relu);
    if (!rules_.pooling || !is<MaxPool2d>(at_)) return;
    const PlannedLayer& pool = plan_.layers[at_];
    const auto& window = std::get<MaxPool2d>(pool.layer);
    if (window.kernel != window.stride) return;
    fused.pool = &pool;
    fused.out = pool.out;
    ++at_;
    take_relu(fused, relu);
  }

  const Plan& plan_;
  const FusionRules& rules_;
  size_t at_ = 0;
};

}  // namespace

std::vector<FusedLayers> fuse(const Plan& plan, const FusionRules& rules) {
  std::vector<FusedLayers> all;
  for (Fuser fuser(plan, rules); !fuser.done();) all.push_back(fuser.next());
  return all;
}

}  // namespace digitron
