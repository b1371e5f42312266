#include <variant>

#include "cuda/sample_builder.h"

namespace digitron {

namespace {

constexpr int kLeastSplitWeights = 16384;  // fewer are read sooner than two blocks have met

class Describer {
 public:
  Describer(SampleProgram& program, const Plan& plan, const std::vector<FusedLayers>& layers)
      : program_(program), plan_(plan), layers_(layers) {}

  void describe_all() {
    program_.count = static_cast<int>(layers_.size());
    for (int i = 0; i < count(); ++i) describe(i);
    for (int i = count(); i-- > 0;) share_work(i);
  }

 private:
  int count() const { return program_.count; }
  SampleOp& op(int i) { return program_.ops[i]; }

  void describe(int i) {
    const FusedLayers& fused = layers_[static_cast<size_t>(i)];
    const PlannedLayer& layer = *fused.layer;
    SampleOp& o = op(i);
    o.relu = fused.relu;
    o.channels = layer.in.channels;
    o.height = layer.in.height;
    o.width = layer.in.width;
    o.out_channels = fused.out.channels;
    o.out_height = fused.out.height;
    o.out_width = fused.out.width;
    o.backward = layer.has_backward();
    o.input_grad = layer.input_gradient;
    std::visit([&](const auto& kind) { describe(o, fused, kind); }, layer.layer);
    if (layer.parameters) {
      o.weight = static_cast<int>(plan_.weight(layer).offset);
      o.bias = static_cast<int>(plan_.bias(layer).offset);
    }
  }

  void describe(SampleOp& o, const FusedLayers& fused, const Conv2d& conv) {
    o.kind = OpKind::kConv;
    o.kernel = conv.kernel;
    o.pad = conv.padding;
    o.z_height = fused.layer->out.height;
    o.z_width = fused.layer->out.width;
    if (fused.pool) o.window = o.stride = std::get<MaxPool2d>(fused.pool->layer).kernel;
  }
  void describe(SampleOp& o, const FusedLayers& fused, const Linear&) {
    o.kind = OpKind::kLinear;
    if (fused.dropout) drop(o, std::get<Dropout>(fused.dropout->layer), fused.dropout_index);
  }
  void describe(SampleOp& o, const FusedLayers&, const MaxPool2d& pool) {
    o.kind = OpKind::kMaxPool;
    o.window = pool.kernel;
    o.stride = pool.stride;
  }
  void describe(SampleOp& o, const FusedLayers&, const AvgPool2d& pool) {
    o.kind = OpKind::kAvgPool;
    o.window = pool.kernel;
    o.stride = pool.stride;
  }
  void describe(SampleOp& o, const FusedLayers&, const ReLU&) {
    o.kind = OpKind::kElementwise;
    o.relu = true;
  }
  void describe(SampleOp& o, const FusedLayers& fused, const Dropout& dropout) {
    o.kind = OpKind::kElementwise;
    drop(o, dropout, fused.index);
  }
  void describe(SampleOp& o, const FusedLayers& fused, const BatchNorm2d&) {
    o.kind = OpKind::kBatchNorm;
    o.running_mean = static_cast<int>(plan_.running_mean(*fused.layer).offset);
    o.running_variance = static_cast<int>(plan_.running_variance(*fused.layer).offset);
    if (fused.pool) o.window = o.stride = std::get<MaxPool2d>(fused.pool->layer).kernel;
  }

  static void drop(SampleOp& o, const Dropout& dropout, int layer) {
    o.dropout_layer = layer;
    o.dropout = dropout.probability;
    o.gain = 1.0f / (1.0f - dropout.probability);
  }

  // Whether what op i is given back is there for a part's own channels only.
  bool own_dy(int i) {
    if (i + 1 == count()) return false;
    const SampleOp& next = op(i + 1);
    if (next.kind == OpKind::kBatchNorm) return false;  // a segment begins with the whole of it
    return next.kind == OpKind::kConv || next.own_dz;
  }

  // From the last op to the first: what a part makes for itself depends on what comes back.
  void share_work(int i) {
    SampleOp& o = op(i);
    if (o.kind == OpKind::kLinear) {
      const int weights = o.out_channels * o.channels * o.height * o.width;
      o.split = weights >= kLeastSplitWeights && o.out_channels > 1;
    } else if (o.kind == OpKind::kConv) {
      o.split = true;
      o.own_dz = own_dy(i) || !o.input_grad;
      o.exchange_dz = own_dy(i) && o.input_grad;
    } else {
      o.own_dz = own_dy(i);
    }
  }

  SampleProgram& program_;
  const Plan& plan_;
  const std::vector<FusedLayers>& layers_;
};

}  // namespace

void describe_ops(SampleProgram& program, const Plan& plan,
                  const std::vector<FusedLayers>& layers) {
  Describer(program, plan, layers).describe_all();
}

}  // namespace digitron
