#pragma once

namespace digitron {

// How the CUDA engine runs; what it computes does not depend on the first two.
struct CudaOptions {
  bool graph = true;          // record the step and replay it; otherwise the same calls one by one
  int steps_per_graph = 8;    // steps that one graph launch covers, at least 1
  bool tf32 = false;          // let tensor cores round the factors of products to 10 bits
  bool deterministic = true;  // only algorithms that give the same bits every time
};

}  // namespace digitron
