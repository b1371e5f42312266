#include "host/core/plan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "host/core/error.h"
#include "host/shared/philox.h"

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
  std::string operator()(const BatchNorm2d&) { return numbered("bn", bn_); }
  std::string operator()(const Dropout&) { return numbered("dropout", dropout_); }

 private:
  int conv_ = 0, pool_ = 0, fc_ = 0, relu_ = 0, bn_ = 0, dropout_ = 0;
};

std::vector<int64_t> weight_dims(const PlannedLayer& planned) {
  if (const auto* conv = std::get_if<Conv2d>(&planned.layer)) {
    return {conv->out_channels, planned.in.channels, conv->kernel, conv->kernel};
  }
  if (std::holds_alternative<Linear>(planned.layer)) {
    return {planned.out.channels, planned.in.count()};
  }
  if (std::holds_alternative<BatchNorm2d>(planned.layer)) return {planned.out.channels};
  return {};
}

void append_parameter(Plan& plan, const std::string& name, const std::vector<int64_t>& dims,
                      int fan_in, float initial = 0) {
  size_t count = 1;
  for (const int64_t dim : dims) count *= static_cast<size_t>(dim);
  plan.parameters.push_back({name, dims, plan.parameter_floats, count, fan_in, initial});
  plan.parameter_count += count;
  plan.parameter_floats += aligned(count);
  if (plan.parameter_floats > kMostFloats) {
    throw InputError(name + " brings the parameters above 4 GiB; make the model smaller");
  }
}

// Every weight meets each of its layer's output positions once a sample.
int64_t multiply_adds(const PlannedLayer& planned, int64_t weights) {
  return weights * planned.out.height * planned.out.width;
}

void append_buffer(Plan& plan, const std::string& name, size_t count, float initial) {
  plan.buffers.push_back({name, plan.buffer_floats, count, initial});
  plan.buffer_floats += aligned(count);
}

void append_state(Plan& plan, PlannedLayer& planned) {
  const std::vector<int64_t> dims = weight_dims(planned);
  if (dims.empty()) return;
  planned.weight = static_cast<int>(plan.parameters.size());
  if (std::holds_alternative<BatchNorm2d>(planned.layer)) {
    append_parameter(plan, planned.name + ".weight", dims, 0, 1);
    append_parameter(plan, planned.name + ".bias", dims, 0, 0);
    planned.buffer = static_cast<int>(plan.buffers.size());
    append_buffer(plan, planned.name + ".running_mean", static_cast<size_t>(dims[0]), 0);
    append_buffer(plan, planned.name + ".running_var", static_cast<size_t>(dims[0]), 1);
    return;
  }
  int fan_in = 1;
  for (size_t i = 1; i < dims.size(); ++i) fan_in *= static_cast<int>(dims[i]);
  append_parameter(plan, planned.name + ".weight", dims, fan_in);
  append_parameter(plan, planned.name + ".bias", {dims[0]}, fan_in);
}

// The weights that a layer multiplies its inputs with: of a convolution or a linear layer.
int64_t product_weights(const PlannedLayer& planned) {
  const std::vector<int64_t> dims = weight_dims(planned);
  if (dims.size() < 2) return 0;
  return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

struct ElementWork {
  int64_t forward;
  int64_t backward;  // of the parameters' gradients
  int64_t backward_input;
};

// Operations an output element of what is not a sum of products. Batch normalisation: 1 for the
// mean, 3 for the variance and 2 to normalise; back, 1 and 4 for two sums and 4 for the input.
ElementWork element_work(const Layer& layer) {
  if (const auto* pool = std::get_if<MaxPool2d>(&layer)) {
    return {int64_t{pool->kernel} * pool->kernel - 1, 0, 1};
  }
  if (std::holds_alternative<BatchNorm2d>(layer)) return {6, 5, 4};
  return {1, 0, 1};
}

// `to_input`: a layer with parameters stands before this one, so that the gradient must go on to
// it.
void count_work(Plan& plan, PlannedLayer& planned, bool to_input, int64_t weights) {
  const int64_t batch = plan.batch;
  if (weights > 0) {
    const int64_t flops = 2 * multiply_adds(planned, weights) * batch;
    planned.flops_forward = flops;
    planned.flops_backward = to_input ? 2 * flops : flops;
  } else {
    const ElementWork work = element_work(planned.layer);
    const int64_t elements = batch * planned.out.count();
    planned.flops_forward = elements * work.forward;
    planned.flops_backward = elements * (work.backward + (to_input ? work.backward_input : 0));
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
    Shape operator()(const BatchNorm2d&) const {
      require_image(in, layer);
      return in;
    }
    Shape operator()(const Dropout&) const { return in; }
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
    append_state(plan, planned);
    count_work(plan, planned, to_input, product_weights(planned));
    plan.layers.push_back(std::move(planned));
  }
  if (plan.layers.empty() || shape.count() != kClasses) {
    throw InputError("the model gives " + std::to_string(shape.count()) + " outputs, not " +
                     std::to_string(kClasses) + ": end it with 'fc " + std::to_string(kClasses) +
                     "'");
  }
  return plan;
}

void require_trainable(const Plan& plan, int samples) {
  const int ragged = samples % plan.batch;
  const bool whole_of_one = plan.batch == 1;
  if (!whole_of_one && ragged != 1) return;
  for (const PlannedLayer& layer : plan.layers) {
    if (layer.buffer < 0 || layer.in.height * layer.in.width > 1) continue;
    throw InputError(layer.name + " cannot be trained on " +
                     (whole_of_one ? "batches of one sample"
                                   : "the last batch of an epoch, where " +
                                         std::to_string(samples) + " samples in batches of " +
                                         std::to_string(plan.batch) + " leave one sample") +
                     ": a channel of it is one value, which has no variance; give another --batch");
  }
}

std::vector<float> initial_buffers(const Plan& plan) {
  std::vector<float> flat(plan.buffer_floats);
  for (const Buffer& buffer : plan.buffers) {
    std::fill_n(flat.begin() + static_cast<std::ptrdiff_t>(buffer.offset), buffer.count,
                buffer.initial);
  }
  return flat;
}

std::vector<float> initial_parameters(const Plan& plan, uint64_t seed) {
  std::vector<float> flat(plan.parameter_floats);
  for (const Parameter& parameter : plan.parameters) {
    if (parameter.fan_in == 0) {
      std::fill_n(flat.begin() + static_cast<std::ptrdiff_t>(parameter.offset), parameter.count,
                  parameter.initial);
      continue;
    }
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
  const std::string total = " = " + std::to_string(parameter_count(planned));
  const std::string out = std::to_string(dims[0]);
  if (dims.size() == 1) return out + " + " + out + total;
  std::string text;
  for (size_t i = 1; i < dims.size(); ++i) text += (i > 1 ? " * " : "") + std::to_string(dims[i]);
  if (dims.size() > 2) text = "(" + text + ")";
  return text + " * " + out + " + " + out + total;
}

int64_t parameter_count(const PlannedLayer& planned) {
  const std::vector<int64_t> dims = weight_dims(planned);
  if (dims.empty()) return 0;
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return count + dims[0];
}

}  // namespace digitron
