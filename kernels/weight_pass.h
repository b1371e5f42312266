// The second of the fused step's two kernels: every parameter's gradient, summed over the samples
// in their order, and its update.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "host/shared/optimizer.h"
#include "kernels/kernels.h"
#include "kernels/sample_program.h"
#include "kernels/step_state.h"

namespace digitron {

constexpr int kTileOutputs = 8;  // of the tile that a block has of a linear layer's weights
constexpr int kTileInputs = 64;
constexpr int kWeightThreads = 128;  // of a block, which has so many simple sums

// A linear layer's weights, whose gradients are products of what the records hold.
struct LinearWeights {
  int weight;  // in the parameters: (outputs, inputs)
  int outputs, inputs;
  int x, d;         // in a record
  int first_block;  // of those that update them
  int tiles_wide;   // tiles beside each other
};

// Parameters whose gradients are simple sums of what the records hold.
struct SummedParameters {
  int parameter;  // the first, in the parameters
  int record;     //   and in a record
  int count;
  int first_block;
};

struct WeightProgram {
  int record_floats = 0;
  int linear_count = 0;
  int summed_count = 0;
  int blocks = 0;
  LinearWeights linear[kMostOps];
  SummedParameters summed[2 * kMostOps];
};

// Updates all parameters, and writes the step's metrics.
cudaError_t weight_pass(const WeightProgram& program, const FlatBuffers& buffers,
                        const float* records,    // (n, record_floats)
                        const LossSums* losses,  // (n)
                        LossSums* metrics,       // metrics[slot]
                        const UpdateRule& rule,
                        const StepRates* rates,  // rates[slot]
                        const StepState* state,  // slot: its own, and step_in_graph more
                        uint32_t step_in_graph, int n, bool early, cudaStream_t stream);

}  // namespace digitron
