// The constants of batch normalisation, PyTorch's.
#pragma once

namespace digitron {

inline constexpr double kBatchNormEpsilon = 1e-5;  // added to variances
inline constexpr double kBatchNormMomentum = 0.1;  // what a batch adds to the running statistics

}  // namespace digitron
