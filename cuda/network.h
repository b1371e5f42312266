// The plan's layers at one batch size, as launches on a stream. Holds what the libraries need
// (descriptors, algorithms) and no tensor: those are given, so that the networks of a whole and of
// a ragged batch share them.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cuda/arena.h"
#include "cuda/batchnorm.h"
#include "cuda/convolution.h"
#include "cuda/elementwise.h"
#include "cuda/linear.h"
#include "cuda/nvtx.h"
#include "cuda/phase_events.h"
#include "cuda/pooling.h"
#include "host/core/error.h"

namespace digitron {

// How many samples device memory is for: `trained` in a step, `evaluated` in a forward pass alone.
struct Rows {
  int trained;
  int evaluated;  // at least `trained`
};

// Device memory of a forward and a backward pass; (rows) is Rows::evaluated.
struct Tensors {
  // The engine's, of a StepData.
  float* parameters = nullptr;          // flat, in the plan's layout
  float* running_statistics = nullptr;  // likewise
  StepState* state = nullptr;           // what changes from step to step
  // A step's own.
  float* gradients = nullptr;         // as the parameters
  float* batch_statistics = nullptr;  // as the running ones: means, and 1 / deviations
  float* x = nullptr;                 // (rows, channels, height, width)
  std::vector<float*> y;              // one an operation: (rows, C, H, W)
  float* dy = nullptr;  // the gradient of an operation's output, and (rows, classes) of the logits
  float* dx = nullptr;  //   and of its input, as wide; the two change places
  float* bias_partials = nullptr;  // scratch
  Workspace workspace;

  const float* logits() const { return y.back(); }  // (rows, classes)
};

// Asks the arena for all that is a step's own; tensors must stay where it is until allocate().
void add_tensors(Arena& arena, Tensors& tensors, const Plan& plan, Rows rows,
                 size_t workspace_bytes);

class Network {
 public:
  // For batches of n, which it trains, or only evaluates. Throws InputError that names the layer
  // which the libraries refuse.
  Network(const Context& context, const Plan& plan, int n, bool trains, size_t workspace_limit);

  size_t workspace_bytes() const;

  // Settles which algorithms run, by running them: overwrites activations and gradients, and reads
  // any numbers as parameters. To be called once, before anything else. Throws as the constructor
  // does.
  void settle(const Tensors& tensors);

  // What has been chosen for each layer and direction.
  std::vector<Detail> details(const std::string& group) const;

  // tensors.x (n, images) -> tensors.logits() (n, classes). events: null, or marked at each layer's
  // end, here and on the way back.
  void forward(const Tensors& tensors, Pass pass, PhaseEvents* events = nullptr) const;
  // tensors.dy: the gradient of the logits -> tensors.gradients. Reads what a forward pass in
  // training left there; uses up dy and dx.
  void backward(const Tensors& tensors, PhaseEvents* events = nullptr) const;

 private:
  // One for each kind of layer: see make_for_layer.
  using AnyOperation = std::variant<ConvolutionOperation, PoolingOperation, LinearOperation,
                                    ReluOperation, BatchNormOperation, DropoutOperation>;

  struct LayerRanges {
    RangeName forward, backward;
  };

  Operands operands(size_t operation, const Tensors& tensors) const;
  [[noreturn]] void refuse(const PlannedLayer& layer, const MachineError& error) const;

  const Plan& plan_;
  int n_;
  std::vector<FusedLayers> layers_;  // one an operation
  std::vector<AnyOperation> operations_;
  std::vector<LayerRanges> ranges_;
};

}  // namespace digitron
