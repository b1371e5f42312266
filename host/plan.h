// A model at one batch size with everything derived: shapes, the parameter table, memory, work. The
// only source that parameter counts, checkpoints, reports and every engine read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "host/model.h"

namespace digitron {

struct Parameter {
  std::string name;           // PyTorch's: "conv1.weight"
  std::vector<int64_t> dims;  // PyTorch's layout: (out, in, kernel, kernel), (out, in), (out)
  size_t offset;              // into the flat buffer, in floats; 256-byte aligned
  size_t count;               // floats, without the alignment gap
  int fan_in;  // of the layer: initial values are U(-1/sqrt(fan_in), +1/sqrt(fan_in))
};

struct PlannedLayer {
  std::string name;  // "conv1", "relu1", "pool1", "fc1"
  Layer layer;
  Shape in;
  Shape out;
  int weight = -1;  // index into Plan::parameters, or -1; the bias is weight + 1
  size_t activation_offset =
      0;  // of the output (batch, out) in a buffer that holds all of them, in floats
  int64_t flops_forward = 0;   // for the whole batch; a multiply-add counts 2
  int64_t flops_backward = 0;  // without the first layer's input gradient, which nobody needs
};

struct Plan {
  Model model;
  int batch = 0;
  std::vector<PlannedLayer> layers;
  std::vector<Parameter> parameters;
  size_t parameter_count = 0;    // of the model: 61,706 for LeNet-5
  size_t parameter_floats = 0;   // of the flat buffer, alignment gaps included
  size_t activation_floats = 0;  // of all layers' outputs for the batch
  int64_t flops_forward = 0;     // for one step
  int64_t flops_backward = 0;
};

// The shape a layer makes of its input, by PyTorch's rules.
// Throws InputError when the kernel does not fit the input.
Shape output_shape(const Layer& layer, const Shape& in);

// Throws InputError naming the layer when shapes do not work out, when the last layer does not give
// one value per class, or when the batch is not positive.
Plan make_plan(const Model& model, int batch);

// Initial parameters in the flat layout (gaps are zero): U(-1/sqrt(fan_in), +1/sqrt(fan_in)),
// PyTorch's default for convolutions and linear layers, weights and biases alike.
std::vector<float> initial_parameters(const Plan& plan, uint64_t seed);

// "(1 * 5 * 5) * 6 + 6 = 156"; empty for a layer without parameters.
std::string parameter_arithmetic(const PlannedLayer& planned);

// Parameters of one layer, weight and bias together.
int64_t parameter_count(const PlannedLayer& planned);

}  // namespace digitron
