// A linear layer at one batch size, ready to run: products through cuBLAS and cuBLASLt. The only
// place where they compute.
#pragma once

#include <cublasLt.h>

#include <optional>

#include "cuda/operation.h"

namespace digitron {

class LinearOperation : public Operation {
 public:
  LinearOperation(const OperationRequest& request, const Linear&);

  // x (n, I), w (O, I), b (O) -> y (n, O) = x w^T + b, through the ReLU. One launch where cuBLASLt
  // has an epilogue for it, otherwise a product and a kernel.
  void forward(const Operands& o, Pass pass) const;
  // -> dw (O, I), db (O), and dx (n, I) where it is needed. Zeroes dy where the ReLU did.
  void backward(const Operands& o) const;

  size_t workspace_bytes() const { return workspace_bytes_; }
  // {"algorithms", "fc1 forward", "cublasLt RELU_BIAS"}
  std::vector<Detail> details(const std::string& group, const std::string& layer) const;

 private:
  using MatmulDescriptor = Unique<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
  using Layout = Unique<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;

  void describe(bool tf32);
  void choose_algorithm(bool deterministic, size_t workspace_limit);

  const Context& context_;
  int inputs_, outputs_, n_;
  bool relu_;
  bool input_gradient_;
  MatmulDescriptor matmul_;
  Layout x_, w_, y_;
  std::optional<cublasLtMatmulAlgo_t> algorithm_;  // none: cuBLASLt has no such epilogue here
  size_t workspace_bytes_ = 0;
};

}  // namespace digitron
