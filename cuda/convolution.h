// A convolution at one batch size, ready to run: descriptors and algorithms, and our kernels for
// the bias and the ReLU after it.
#pragma once

#include <cstddef>

#include "cuda/conv_algorithms.h"
#include "cuda/descriptors.h"
#include "cuda/operation.h"

namespace digitron {

class ConvolutionOperation : public Operation {
 public:
  // Asks cuDNN for the algorithms that the directions may take within the workspace's limit. Throws
  // MachineError where it has none.
  ConvolutionOperation(const OperationRequest& request, const Conv2d& conv);

  // x (n, C, H, W), w (O, C, K, K), b (O) -> y (n, O, P, Q), through the ReLU.
  void forward(const Operands& o, Pass pass) const;
  // -> dw, db, and dx where it is needed. Zeroes dy where the ReLU did.
  void backward(const Operands& o) const;

  size_t workspace_bytes() const;
  // Runs each direction once, on any values: an algorithm that cuDNN has offered and now refuses
  // gives way to the next.
  void settle(const Operands& o);
  // {"algorithms", "conv1 forward", "IMPLICIT_PRECOMP_GEMM"}
  std::vector<Detail> details(const std::string& group, const std::string& layer) const;

 private:
  using FilterDescriptor = Unique<cudnnFilterDescriptor_t, cudnnDestroyFilterDescriptor>;
  using ConvDescriptor = Unique<cudnnConvolutionDescriptor_t, cudnnDestroyConvolutionDescriptor>;

  // A direction, with a descriptor of its own, since the algorithm brings its math type.
  struct Direction {
    ConvDescriptor conv;
    std::vector<ConvAlgorithm> algorithms;  // that may yet be taken, the chosen one first
  };

  Direction make_direction(ConvDirection direction, const Conv2d& conv, size_t workspace_limit);
  void take_math(Direction& direction) const;
  template <class Run>
  void settle(Direction& direction, const char* call, const Workspace& workspace, const Run& run);
  cudnnStatus_t run_forward(const Operands& o) const;
  cudnnStatus_t run_backward_weights(const Operands& o) const;
  cudnnStatus_t run_backward_input(const Operands& o) const;

  cudaStream_t stream_;
  cudnnHandle_t cudnn_;
  bool tf32_, deterministic_;
  int n_, channels_, plane_;  // of the output
  bool relu_;
  TensorDescriptor x_, y_;
  FilterDescriptor w_;
  Direction forward_, backward_weights_, backward_input_;  // without algorithms: not needed
};

}  // namespace digitron
