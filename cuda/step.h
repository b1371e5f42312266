// The seam between the engine, which keeps what a training has made so far, and the ways to compute
// a step on a GPU.
#pragma once

#include <string>
#include <vector>

#include "cuda/arena.h"
#include "cuda/engine_memory.h"
#include "host/core/engine.h"
#include "kernels/kernels.h"

namespace digitron {

// What steps work on: the engine's device memory, the same place in every call between two
// recordings.
struct StepData {
  DeviceSamples samples;      // what batches are drawn from, in the state's order
  FlatBuffers buffers;        // the optimiser's; w: the parameters that this call uses
  float* running_statistics;  // flat, in the plan's layout
  StepState* state;           // where the steps begin
  const StepRates* rates;     // a step's are at its slot
  LossSums* metrics;          // likewise, written by train and evaluate
  const Training* training;   // on the host
};

// One way through training steps and evaluation batches. train, evaluate and forward enqueue on the
// context's stream, allocate nothing and wait for nothing, so that they can be recorded; all throw
// MachineError. A step owns its gradients and activations.
class Step {
 public:
  virtual ~Step() = default;

  virtual std::string description() const = 0;      // for a log: "layer by layer"
  virtual std::vector<Detail> details() const = 0;  // what else run.json tells of it
  virtual std::vector<Slice> slices() const = 0;    // the device memory it holds

  // How many samples of an evaluation or a prediction of `count` it takes at once: at least the
  // plan's batch, and never more than for a greater count.
  virtual int evaluation_batch(int count) const = 0;

  // Makes ready for batches of n, before any call with that n. May allocate and wait, but memory
  // stays where it is: graphs of other sizes have recorded it. Throws InputError that names the
  // layer which the libraries refuse.
  virtual void prepare(int n, bool trains) = 0;

  // `steps` training steps of n samples each from the state on, which is left at the next one.
  virtual void train(const StepData& data, int n, int steps) = 0;

  // The same with loss and accuracy alone: no augmentation, label smoothing or dropout, and running
  // statistics in place of the batch's.
  virtual void evaluate(const StepData& data, int n, int steps) = 0;

  // The logits of n samples from the state's position on, as evaluate computes them: device memory,
  // (n, 10), until the next call. The state stays.
  virtual const float* forward(const StepData& data, int n) = 0;

  // Does what train does, and tells how long each phase of a step took; with `trace` also when, in
  // the last step, where the kernels have clocks. Allocates, waits, and cannot be recorded.
  virtual Profile profile(const StepData& data, int n, int steps, bool trace) = 0;
};

}  // namespace digitron
