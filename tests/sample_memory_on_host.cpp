// The shared memory behind the sample pass, where its kernel runs on the host.
#include <host_cuda.h>

namespace digitron {

HOST_CUDA_DYNAMIC_SHARED(float, sample_memory);

}  // namespace digitron
