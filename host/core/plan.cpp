#include "host/core/plan.h"

#include <algorithm>
#include <cmath>
#include <map>

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
  if (in.vector)
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

// What a kind of layer is. Everything that a plan knows of a layer follows from this, and a kind
// that is not described here does not compile.
struct Description {
  const char* stem;  // of its name, as PyTorch users write it: "conv" for conv1
  Shape out;
  std::vector<int64_t> weight_dims = {};  // empty: it has no parameters
  // Operations an output element, of a layer that is no sum of products: forward, for the gradients
  // of its parameters, and for that of its input.
  struct {
    int64_t forward = 1;
    int64_t backward = 0;
    int64_t backward_input = 1;
  } work = {};
  bool running_statistics = false;
};

struct Describe {
  const Layer& layer;
  const Shape& in;

  Description operator()(const Conv2d& c) const {
    require_image(in, layer);
    require_size(in.channels, in.height + 2 * c.padding, in.width + 2 * c.padding, layer);
    return {"conv",
            {c.out_channels, window_output(in.height, c.kernel, c.stride, c.padding, layer),
             window_output(in.width, c.kernel, c.stride, c.padding, layer)},
            {c.out_channels, in.channels, c.kernel, c.kernel}};
  }
  Description operator()(const MaxPool2d& p) const {
    return {"pool", pooled(p.kernel, p.stride), {}, {int64_t{p.kernel} * p.kernel - 1}};
  }
  Description operator()(const AvgPool2d& p) const {
    const int64_t values = int64_t{p.kernel} * p.kernel;
    return {"pool", pooled(p.kernel, p.stride), {}, {values, 0, values}};
  }
  Description operator()(const Linear& l) const {
    return {"fc", {l.out_features, 1, 1, true}, {l.out_features, in.count()}};
  }
  Description operator()(const ReLU&) const { return {"relu", in}; }
  // Forward 1 for the mean, 3 for the variance and 2 to normalise; back 1 and 4 for the two sums,
  // and 4 for the input.
  Description operator()(const BatchNorm2d&) const {
    require_image(in, layer);
    return {"bn", in, {in.channels}, {6, 5, 4}, true};
  }
  Description operator()(const Dropout&) const { return {"dropout", in}; }

 private:
  Shape pooled(int kernel, int stride) const {
    require_image(in, layer);
    if (kernel > kMostPoolKernel) {
      throw InputError("'" + to_text(layer) + "' is too wide: a window may be at most " +
                       std::to_string(kMostPoolKernel));
    }
    return {in.channels, window_output(in.height, kernel, stride, 0, layer),
            window_output(in.width, kernel, stride, 0, layer)};
  }
};

Description describe(const Layer& layer, const Shape& in) {
  Description description = std::visit(Describe{layer, in}, layer);
  const Shape& out = description.out;
  require_size(out.channels, out.height, out.width, layer);
  return description;
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

void append_buffer(Plan& plan, const std::string& name, size_t count, float initial) {
  plan.buffers.push_back({name, plan.buffer_floats, count, initial});
  plan.buffer_floats += aligned(count);
}

// A batch normalisation scales by 1 and shifts by 0 at first; other layers begin at random.
void append_state(Plan& plan, PlannedLayer& planned, const Description& what) {
  const std::vector<int64_t>& dims = what.weight_dims;
  if (dims.empty()) return;
  planned.parameters = {plan.parameters.size(), plan.parameters.size() + 1};
  int fan_in = 1;
  for (size_t i = 1; i < dims.size(); ++i) fan_in *= static_cast<int>(dims[i]);
  if (what.running_statistics) fan_in = 0;
  append_parameter(plan, planned.name + ".weight", dims, fan_in, 1);
  append_parameter(plan, planned.name + ".bias", {dims[0]}, fan_in, 0);
  if (!what.running_statistics) return;
  planned.statistics = {plan.buffers.size(), plan.buffers.size() + 1};
  append_buffer(plan, planned.name + ".running_mean", static_cast<size_t>(dims[0]), 0);
  append_buffer(plan, planned.name + ".running_var", static_cast<size_t>(dims[0]), 1);
}

// In a sum of products every weight meets each of the layer's output positions once a sample.
void count_work(Plan& plan, PlannedLayer& planned, const Description& what) {
  const int64_t batch = plan.batch;
  if (what.weight_dims.size() > 1) {
    const size_t weights = plan.weight(planned).count;
    const int64_t positions = batch * planned.out.plane();
    planned.flops_forward = 2 * static_cast<int64_t>(weights) * positions;
    planned.flops_backward = (planned.input_gradient ? 2 : 1) * planned.flops_forward;
  } else {
    const int64_t elements = batch * planned.out.count();
    const int64_t to_input = planned.input_gradient ? what.work.backward_input : 0;
    planned.flops_forward = elements * what.work.forward;
    planned.flops_backward = elements * (what.work.backward + to_input);
  }
  plan.flops_forward += planned.flops_forward;
  plan.flops_backward += planned.flops_backward;
}

}  // namespace

Shape output_shape(const Layer& layer, const Shape& in) {
  return describe(layer, in).out;
}

Plan make_plan(const Model& model, int batch) {
  if (batch < 1) {
    throw InputError("a batch of " + std::to_string(batch) + " is impossible: give 1 or more");
  }
  Plan plan;
  plan.model = model;
  plan.batch = batch;
  std::map<std::string, int> numbers;  // of each stem's layers so far
  Shape shape = model.task.image;
  for (const Layer& layer : model.layers) {
    const Description what = describe(layer, shape);
    PlannedLayer planned{what.stem + std::to_string(++numbers[what.stem]), layer, shape, what.out};
    shape = what.out;
    plan.activation_floats +=
        aligned(static_cast<size_t>(shape.count()) * static_cast<size_t>(batch));
    if (plan.activation_floats > kMostFloats) {
      throw InputError(planned.name + " brings the activations above 4 GiB; take a smaller batch " +
                       "or model");
    }
    planned.input_gradient = !plan.parameters.empty();
    append_state(plan, planned, what);
    count_work(plan, planned, what);
    plan.layers.push_back(std::move(planned));
  }
  const int classes = model.task.class_count();
  if (plan.layers.empty() || shape.count() != classes) {
    throw InputError("the model gives " + std::to_string(shape.count()) + " outputs, not " +
                     std::to_string(classes) + ", one for each class: end it with 'fc " +
                     std::to_string(classes) + "'");
  }
  return plan;
}

void require_trainable(const Plan& plan, int samples) {
  const int ragged = samples % plan.batch;
  const bool whole_of_one = plan.batch == 1;
  if (!whole_of_one && ragged != 1) return;
  for (const PlannedLayer& layer : plan.layers) {
    if (!layer.statistics || layer.in.plane() > 1) continue;
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

int64_t parameter_count(const Plan& plan, const PlannedLayer& layer) {
  if (!layer.parameters) return 0;
  return static_cast<int64_t>(plan.weight(layer).count + plan.bias(layer).count);
}

}  // namespace digitron
