// The plan's layers at one batch size, as launches on a stream. Holds what the libraries need
// (descriptors, algorithms) and no tensor: those are given, so that the networks of a whole and of
// a ragged batch share them.
#pragma once

#include <variant>
#include <vector>

#include "cuda/arena.h"
#include "cuda/batchnorm_plan.h"
#include "cuda/context.h"
#include "cuda/conv_plan.h"
#include "cuda/linear_plan.h"
#include "cuda/pool_plan.h"
#include "host/core/error.h"
#include "host/core/plan.h"
#include "kernels/step_state.h"

namespace digitron {

// What a forward pass is for: a training step; the gradients of one, which leaves running
// statistics alone; or evaluation, which uses them and drops nothing.
enum class Pass { kTraining, kGradients, kEvaluation };

// A layer, with the ReLU that follows it where the bias's kernel can take that along.
struct NetworkStage {
  PlannedLayer layer;
  bool relu;
  uint32_t index;  // of the layer in the plan
};

std::vector<NetworkStage> make_stages(const Plan& plan);

// How many samples device memory is for: `trained` in a step, `evaluated` in a forward pass alone.
struct Rows {
  int trained;
  int evaluated;  // at least `trained`
};

// Device memory of a forward and a backward pass; (rows) is Rows::evaluated.
struct Tensors {
  float* parameters = nullptr;     // flat, in the plan's layout
  float* gradients = nullptr;      // the same
  float* buffers = nullptr;        // running statistics, flat, in the plan's layout
  float* statistics = nullptr;     // of the batch, likewise: means, and 1 / deviations
  StepState* state = nullptr;      // what changes from step to step
  float* x = nullptr;              // (rows, 1, 28, 28)
  std::vector<float*> y;           // one a stage: (rows, C, H, W)
  float* dy = nullptr;             // the gradient of a stage's output, and (rows, 10) of the logits
  float* dx = nullptr;             //   and of its input, as wide; the two change places
  float* bias_partials = nullptr;  // scratch
  Workspace workspace;

  const float* logits() const { return y.back(); }  // (rows, 10)
};

// Asks the arena for everything that `tensors` points to; tensors must stay where it is until then.
void add_tensors(Arena& arena, Tensors& tensors, const Plan& plan, Rows rows,
                 size_t workspace_bytes);

class Network {
 public:
  // For batches of n, which it trains, or only evaluates. Throws InputError that names the layer
  // which the libraries refuse.
  Network(const Context& context, const Plan& plan, int n, bool trains, size_t workspace_limit);

  size_t workspace_bytes() const;

  // Settles which algorithms run, by running them: overwrites activations and gradients. To be
  // called once, before anything else. Throws as the constructor does.
  void settle(const Tensors& tensors);

  // What has been chosen for each layer and direction.
  std::vector<Detail> details(const std::string& group) const;

  // tensors.x (n, 1, 28, 28) -> tensors.logits() (n, 10)
  void forward(const Tensors& tensors, Pass pass) const;
  // tensors.dy: the gradient of the logits -> tensors.gradients. Reads what a forward pass, of
  // training or gradients, left there; uses up dy and dx.
  void backward(const Tensors& tensors) const;

 private:
  // The libraries' layers with their plans; the others need none.
  using Operation = std::variant<ConvPlan, PoolPlan, LinearPlan, ReLU, BatchNormPlan, Dropout>;

  // One stage's pointers. Weight and bias are null where there are none.
  struct Operands {
    const float* x;
    float* y;
    const float* w;
    const float* b;
    float* dw;
    float* db;
  };
  Operands operands(size_t stage, const Tensors& tensors) const;
  void batchnorm_forward(size_t stage, const Tensors& tensors, Pass pass) const;
  // Of a batch normalisation, in one of the buffers with the layout of running statistics.
  ChannelStatistics statistics(size_t stage, float* flat) const;
  [[noreturn]] void refuse(const NetworkStage& stage, const MachineError& error) const;
  // y = x times the factors of a dropout stage, both (n, ...).
  void drop(size_t stage, float* y, const float* x, const Tensors& tensors, Pass pass) const;

  const Context& context_;
  const Plan& plan_;
  int n_;
  std::vector<NetworkStage> stages_;
  std::vector<Operation> operations_;  // of the stages
  size_t first_trained_;               // the first stage with parameters: backward ends there
};

}  // namespace digitron
