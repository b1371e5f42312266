#include "cuda/optimizer_memory.h"

namespace digitron {

OptimizerMemory::OptimizerMemory(const Optimizer& optimizer, size_t floats) {
  arena_.add("momentum", &momentum_, floats);
  if (uses(optimizer, State::kSecondMoment)) {
    arena_.add("second moment", &second_moment_, floats);
  }
  if (uses(optimizer, State::kAverage)) arena_.add("average", &average_, floats);
  arena_.allocate();
}

}  // namespace digitron
