#include "host/plan.h"

#include <cmath>

#include "host/error.h"
#include "host/philox.h"

namespace digitron {

namespace {

constexpr size_t kAlignmentFloats = 256 / sizeof(float);
constexpr size_t kMostFloats = size_t{1} << 30;  // of parameters or activations: 4 GiB each
constexpr int64_t kMostSampleFloats = 1 << 24;
constexpr int kMostPoolKernel = 255;  // a winner's place in its window must fit 16 bits

size_t aligned(size_t floats) {
  return (floats + kAlignmentFloats - 1) / kAlignmentFloats * kAlignmentFloats;
}

void require_image(const Shape& in, const Layer& layer) {
  if (in.flat)
    throw InputError("'" + to_text(layer) + "' needs an image; put it before the first fc");
}

// What a sample takes, in or out of a layer. Also keeps the products of dims within 64 bits.
void require_size(int64_t channels, int64_t height, int64_t width, const Layer& layer) {
  if (channels * height * width > kMostSampleFloats) {
    throw InputError("'" + to_text(layer) + "' takes more than " +
                     std::to_string(kMostSampleFloats) + " values a sample; make it smaller");
  }
}

int window_output(int in, int kernel, int stride, int padding, const Layer& layer) {
  const int span = in + 2 * padding - kernel;
  if (span < 0) {
    throw InputError("'" + to_text(layer) + "' does not fit an input of side " +
                     std::to_string(in));
  }
  return span / stride + 1;
}

std::string numbered(const char* stem, int& counter) {
  return stem + std::to_string(++counter);
}

// Names layers as PyTorch users do, "conv1", "conv2", "fc1"; counters live through one plan.
class Namer {
 public:
  std::string operator()(const Conv2d&) { return numbered("conv", conv_); }
  std::string operator()(const MaxPool2d&) { return numbered("pool", pool_); }
  std::string operator()(const Linear&) { return numbered("fc", fc_); }
  std::string operator()(const ReLU&) { return numbered("relu", relu_); }

 private:
  int conv_ = 0, pool_ = 0, fc_ = 0, relu_ = 0;
};

std::vector<int64_t> weight_dims(const PlannedLayer& planned) {
  if (const auto* conv = std::get_if<Conv2d>(&planned.layer)) {
    return {conv->out_channels, planned.in.channels, conv->kernel, conv->kernel};
  }
  if (std::holds_alternative<Linear>(planned.layer)) {
    return {planned.out.channels, planned.in.count()};
  }
  return {};
}

void append_parameter(Plan& plan, const std::string& name, const std::vector<int64_t>& dims,
                      int fan_in) {
  size_t count = 1;
  for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
  plan.parameters.push_back({name, dims, plan.parameter_floats, count, fan_in});
  plan.parameter_count += count;
  plan.parameter_floats += aligned(count);
  if (plan.parameter_floats > kMostFloats) {
    throw InputError(name + " brings the parameters above 4 GiB; make the model smaller");
  }
}

// Every weight meets each of its layer's output positions once a sample; pooling and ReLU are
// counted as one operation an output or input element.
int64_t multiply_adds(const PlannedLayer& planned, int64_t weights) {
  return weights * planned.out.height * planned.out.width;
}

// `to_input`: a layer with parameters stands before this one, so that the gradient must go on to
// it.
void count_work(Plan& plan, PlannedLayer& planned, bool to_input, int64_t weights) {
  const int64_t batch = plan.batch;
  if (planned.weight >= 0) {
    const int64_t flops = 2 * multiply_adds(planned, weights) * batch;
    planned.flops_forward = flops;
    planned.flops_backward = to_input ? 2 * flops : flops;
  } else {
    const auto* pool = std::get_if<MaxPool2d>(&planned.layer);
    const int64_t operations = pool ? int64_t{pool->kernel} * pool->kernel - 1 : 1;
    planned.flops_forward = batch * planned.out.count() * operations;
    planned.flops_backward = to_input ? batch * planned.out.count() : 0;
  }
  plan.flops_forward += planned.flops_forward;
  plan.flops_backward += planned.flops_backward;
}

}  // namespace

Shape output_shape(const Layer& layer, const Shape& in) {
  struct Visitor {
    const Layer& layer;
    const Shape& in;
    Shape operator()(const Conv2d& c) const {
      require_image(in, layer);
      require_size(in.channels, in.height + 2 * c.padding, in.width + 2 * c.padding, layer);
      return {c.out_channels, window_output(in.height, c.kernel, c.stride, c.padding, layer),
              window_output(in.width, c.kernel, c.stride, c.padding, layer)};
    }
    Shape operator()(const MaxPool2d& p) const {
      require_image(in, layer);
      if (p.kernel > kMostPoolKernel) {
        throw InputError("'" + to_text(layer) + "' is too wide: a window may be at most " +
                         std::to_string(kMostPoolKernel));
      }
      return {in.channels, window_output(in.height, p.kernel, p.stride, 0, layer),
              window_output(in.width, p.kernel, p.stride, 0, layer)};
    }
    Shape operator()(const Linear& l) const { return {l.out_features, 1, 1, true}; }
    Shape operator()(const ReLU&) const { return in; }
  };
  const Shape out = std::visit(Visitor{layer, in}, layer);
  require_size(out.channels, out.height, out.width, layer);
  return out;
}

Plan make_plan(const Model& model, int batch) {
  if (batch < 1) {
    throw InputError("a batch of " + std::to_string(batch) + " is impossible: give 1 or more");
  }
  Plan plan;
  plan.model = model;
  plan.batch = batch;
  Namer name;
  Shape shape = model.input;
  for (const Layer& layer : model.layers) {
    PlannedLayer planned{std::visit(name, layer), layer, shape, {}};
    planned.out = shape = output_shape(layer, shape);
    planned.activation_offset = plan.activation_floats;
    plan.activation_floats +=
        aligned(static_cast<size_t>(shape.count()) * static_cast<size_t>(batch));
    if (plan.activation_floats > kMostFloats) {
      throw InputError(planned.name + " brings the activations above 4 GiB; take a smaller batch " +
                       "or model");
    }
    const bool to_input = !plan.parameters.empty();
    int64_t weights = 0;
    if (const std::vector<int64_t> dims = weight_dims(planned); !dims.empty()) {
      const bool conv = dims.size() == 4;
      const auto fan_in = static_cast<int>(conv ? dims[1] * dims[2] * dims[3] : dims[1]);
      weights = dims[0] * fan_in;
      planned.weight = static_cast<int>(plan.parameters.size());
      append_parameter(plan, planned.name + ".weight", dims, fan_in);
      append_parameter(plan, planned.name + ".bias", {dims[0]}, fan_in);
    }
    count_work(plan, planned, to_input, weights);
    plan.layers.push_back(std::move(planned));
  }
  if (plan.layers.empty() || shape.count() != kClasses) {
    throw InputError("the model gives " + std::to_string(shape.count()) + " outputs, not " +
                     std::to_string(kClasses) + ": end it with 'fc " + std::to_string(kClasses) +
                     "'");
  }
  return plan;
}

std::vector<float> initial_parameters(const Plan& plan, uint64_t seed) {
  std::vector<float> flat(plan.parameter_floats);
  for (const Parameter& parameter : plan.parameters) {
    const float bound = 1.0f / std::sqrt(static_cast<float>(parameter.fan_in));
    for (size_t i = 0; i < parameter.count; ++i) {
      const size_t index = parameter.offset + i;
      const RandomWords words = random_words(seed, Purpose::kInitialWeights, 0, index / 4);
      flat[index] = (2.0f * uniform01(words.word[index % 4]) - 1.0f) * bound;
    }
  }
  return flat;
}

std::string parameter_arithmetic(const PlannedLayer& planned) {
  const std::vector<int64_t> dims = weight_dims(planned);
  if (dims.empty()) return "";
  std::string text;
  for (size_t i = 1; i < dims.size(); ++i) text += (i > 1 ? " * " : "") + std::to_string(dims[i]);
  if (dims.size() > 2) text = "(" + text + ")";
  const std::string out = std::to_string(dims[0]);
  return text + " * " + out + " + " + out + " = " + std::to_string(parameter_count(planned));
}

int64_t parameter_count(const PlannedLayer& planned) {
  const std::vector<int64_t> dims = weight_dims(planned);
  if (dims.empty()) return 0;
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return count + dims[0];
}

}  // namespace digitron
