#include "cuda/context.h"

namespace digitron {

Context::Context(int device, const CudaOptions& wanted) : options(wanted) {
  check(cudaSetDevice(device), "cudaSetDevice");
  check(cudaStreamCreateWithFlags(stream.out(), cudaStreamNonBlocking), "cudaStreamCreate");
  check(cublasCreate(cublas.out()), "cublasCreate");
  check(cublasSetStream(cublas.get(), stream.get()), "cublasSetStream");
  // The default mode takes tensor cores for no fp32 product: TF32 has to be asked for.
  check(cublasSetMathMode(cublas.get(),
                          options.tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH),
        "cublasSetMathMode");
  check(cublasLtCreate(cublas_lt.out()), "cublasLtCreate");
  check(cudnnCreate(cudnn.out()), "cudnnCreate");
  check(cudnnSetStream(cudnn.get(), stream.get()), "cudnnSetStream");
}

}  // namespace digitron
