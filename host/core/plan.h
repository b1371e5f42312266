// A model at one batch size with everything derived: shapes, the parameter table, memory, work. The
// only source that parameter counts, checkpoints, reports and every engine read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/core/model.h"

namespace digitron {

struct Parameter {
  std::string name;           // PyTorch's: "conv1.weight"
  std::vector<int64_t> dims;  // PyTorch's layout: (out, in, kernel, kernel), (out, in), (out)
  size_t offset;              // into the flat buffer, in floats; 256-byte aligned
  size_t count;               // floats, without the alignment gap
  int fan_in;         // of the layer: initial values are U(-1/sqrt(fan_in), +1/sqrt(fan_in));
  float initial = 0;  // with a fan_in of 0 all values begin with this instead
};

// Running statistics of a batch normalisation: saved with the parameters, but not trained.
struct Buffer {
  std::string name;  // PyTorch's: "bn1.running_mean"
  size_t offset;     // into a flat buffer of their own, in floats; 256-byte aligned
  size_t count;      // floats: one a channel
  float initial;
};

struct PlannedLayer {
  // Where a layer's tensors stand in Plan::parameters and in Plan::buffers.
  struct Parameters {
    size_t weight;
    size_t bias;
  };
  struct RunningStatistics {
    size_t mean;
    size_t variance;
  };

  std::string name;  // "conv1", "relu1", "pool1", "fc1"
  Layer layer;
  Shape in;
  Shape out;
  std::optional<Parameters> parameters = {};         // of a layer that learns
  std::optional<RunningStatistics> statistics = {};  // of a batch normalisation
  bool input_gradient = false;  // a layer before this one learns, and so the gradient goes on to it
  int64_t flops_forward = 0;    // for the whole batch; a multiply-add counts 2
  int64_t flops_backward = 0;   // without an input gradient that nobody needs

  // Whether a training step goes back through this layer at all.
  bool has_backward() const { return parameters || input_gradient; }
};

struct Plan {
  Model model;
  int batch = 0;
  std::vector<PlannedLayer> layers;
  std::vector<Parameter> parameters;
  std::vector<Buffer> buffers;
  size_t buffer_floats = 0;      // of the flat buffer of running statistics, gaps included
  size_t parameter_count = 0;    // of the model: 61,706 for LeNet-5
  size_t parameter_floats = 0;   // of the flat buffer, alignment gaps included
  size_t activation_floats = 0;  // of all layers' outputs for the batch
  int64_t flops_forward = 0;     // for one step
  int64_t flops_backward = 0;

  int classes() const { return model.task.class_count(); }
  // Bytes of an image.
  size_t pixels() const { return static_cast<size_t>(model.task.image.count()); }

  // The tensors of a layer that has them.
  const Parameter& weight(const PlannedLayer& layer) const {
    return parameters[layer.parameters->weight];
  }
  const Parameter& bias(const PlannedLayer& layer) const {
    return parameters[layer.parameters->bias];
  }
  const Buffer& running_mean(const PlannedLayer& layer) const {
    return buffers[layer.statistics->mean];
  }
  const Buffer& running_variance(const PlannedLayer& layer) const {
    return buffers[layer.statistics->variance];
  }
};

// The shape a layer makes of its input, by PyTorch's rules.
// Throws InputError when the kernel does not fit the input.
Shape output_shape(const Layer& layer, const Shape& in);

// Throws InputError naming the layer when shapes do not work out, when the last layer does not give
// one value per class, or when the batch is not positive.
Plan make_plan(const Model& model, int batch);

// Throws InputError when some batch of an epoch over `samples` samples would leave a batch
// normalisation a single value a channel, which has no variance: says which batch. Engines ask
// before they train.
void require_trainable(const Plan& plan, int samples);

// Initial parameters in the flat layout (gaps are zero): U(-1/sqrt(fan_in), +1/sqrt(fan_in)),
// PyTorch's default for convolutions and linear layers, weights and biases alike. Batch
// normalisations begin with weights 1 and biases 0.
std::vector<float> initial_parameters(const Plan& plan, uint64_t seed);

// Running statistics before any training: means 0, variances 1 (gaps are zero).
std::vector<float> initial_buffers(const Plan& plan);

// Parameters of one layer, weight and bias together.
int64_t parameter_count(const Plan& plan, const PlannedLayer& layer);

}  // namespace digitron
