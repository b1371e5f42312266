// A linear layer at one batch size, ready to run: products through cuBLAS and cuBLASLt. The only
// place where they compute.
#pragma once

#include <cublasLt.h>

#include <optional>
#include <string>

#include "cuda/context.h"

namespace digitron {

class LinearPlan {
 public:
  // relu: one follows, and is folded in. workspace_limit: bytes that the operations may be given.
  // Throws MachineError.
  LinearPlan(const Context& context, int inputs, int outputs, int n, bool relu,
             size_t workspace_limit);

  // What the workspace given to forward must at least hold.
  size_t workspace_bytes() const { return workspace_bytes_; }

  // "cublasLt RELU_BIAS", or "cublasSgemm, add_bias".
  std::string forward_algorithm() const;

  // x (n, I), w (O, I), b (O) -> y (n, O) = x w^T + b, through the ReLU. One launch where cuBLASLt
  // has an epilogue for it, otherwise a product and a kernel.
  void forward(float* y, const float* x, const float* w, const float* b,
               const Workspace& workspace) const;
  // dy (n, O), x (n, I) -> dw (O, I)
  void backward_weights(float* dw, const float* dy, const float* x) const;
  // dy (n, O), w (O, I) -> dx (n, I)
  void backward_input(float* dx, const float* dy, const float* w) const;

 private:
  using MatmulDescriptor = Unique<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
  using Layout = Unique<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;

  void describe(bool tf32);
  void choose_algorithm(bool deterministic, size_t workspace_limit);

  const Context& context_;
  int inputs_, outputs_, n_;
  bool relu_;
  MatmulDescriptor matmul_;
  Layout x_, w_, y_;
  std::optional<cublasLtMatmulAlgo_t> algorithm_;  // none: cuBLASLt has no such epilogue here
  size_t workspace_bytes_ = 0;
};

}  // namespace digitron
