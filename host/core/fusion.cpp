#include "host/core/fusion.h"

namespace digitron {

namespace {

// Takes layers from the plan, one with its followers after the other.
struct Fuser {
  const Plan& plan;
  const FusionRules& rules;
  size_t at = 0;

  FusedLayers next() {
    const PlannedLayer& layer = plan.layers[at];
    FusedLayers fused{&layer, static_cast<int>(at++), layer.out};
    std::visit([&](const auto& kind) { take_followers(fused, kind); }, layer.layer);
    return fused;
  }

  // To take nothing along is right for any kind of layer.
  template <class Kind>
  void take_followers(FusedLayers&, const Kind&) {}
  void take_followers(FusedLayers& fused, const Conv2d&) { take_relu_and_pool(fused, true); }
  void take_followers(FusedLayers& fused, const BatchNorm2d&) {
    take_relu_and_pool(fused, rules.relu);
  }
  void take_followers(FusedLayers& fused, const MaxPool2d&) { take_relu(fused, rules.relu); }
  void take_followers(FusedLayers& fused, const Linear&) {
    take_relu(fused, true);
    if (!fused.relu || !rules.dropout || !is<Dropout>()) return;
    fused.dropout_index = static_cast<int>(at);
    fused.dropout = &plan.layers[at++];
  }

  template <class Kind>
  bool is() const {
    return at < plan.layers.size() && std::holds_alternative<Kind>(plan.layers[at].layer);
  }

  void take_relu(FusedLayers& fused, bool wanted) {
    for (; wanted && is<ReLU>(); ++at) fused.relu = true;
  }

  void take_relu_and_pool(FusedLayers& fused, bool relu) {
    take_relu(fused, relu);
    if (!rules.pooling || !is<MaxPool2d>()) return;
    const PlannedLayer& pool = plan.layers[at];
    const auto& window = std::get<MaxPool2d>(pool.layer);
    if (window.kernel != window.stride) return;
    fused.pool = &pool;
    fused.out = pool.out;
    ++at;
    take_relu(fused, relu);
  }
};

}  // namespace

std::vector<FusedLayers> fuse(const Plan& plan, const FusionRules& rules) {
  std::vector<FusedLayers> all;
  for (Fuser fuser{plan, rules}; fuser.at < plan.layers.size();) all.push_back(fuser.next());
  return all;
}

}  // namespace digitron
