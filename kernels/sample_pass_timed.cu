// The sample pass with clocks: thread 0 of each block notes the time at the end of each phase, 8
// bytes a phase. For bench --breakdown and digitron profile; training runs the same code without
// them.
#include "kernels/sample_kernel.h"

namespace digitron {

SampleKernel timed_sample_kernel(int parts) {
  return parts == 2 ? sample_pass_kernel<2, true> : sample_pass_kernel<1, true>;
}

}  // namespace digitron
