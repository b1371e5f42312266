// One sample through the network and back:
//
//   gather -> [conv -> pool, relu] ... -> [fc, relu] ... -> loss -> ... back ... -> the record
//
// The record is what the weight pass needs of a sample: x and dz of each linear layer and the
// gradients of each convolution, 3,404 floats for LeNet-5. Everything else stays in shared memory.
// Reads 784 bytes of image and all the parameters, 247 KB for LeNet-5, most of them from L2.
//
// A group of kParts blocks has a sample, or, where no convolution is, several. Each part has a copy
// of all activations; it makes its share of a split layer's outputs for every part. Any value is
// made by the same operations in the same order whatever kParts is.
#include "kernels/sample_pass.h"

#include <cuda_pipeline.h>

#include <type_traits>

#include "host/shared/dataset_constants.h"
#include "kernels/block_group.h"
#include "kernels/dependent_launch.h"
#include "kernels/launch.h"
#include "kernels/pixel.h"
#include "kernels/sample_activation.h"
#include "kernels/sample_conv.h"
#include "kernels/sample_conv_sums.h"
#include "kernels/sample_linear.h"
#include "kernels/sample_loss.h"

namespace digitron {

extern __shared__ float sample_memory[];

namespace {

template <int kNumber>
using Constant = std::integral_constant<int, kNumber>;

// Calls f(kernel, width) with constants.
template <class F>
__device__ __forceinline__ void with_tile(int kernel, int width, F f) {
  if (kernel == 5) {
    if (width == 14) return f(Constant<5>(), Constant<14>());
    if (width == 10) return f(Constant<5>(), Constant<10>());
    return f(Constant<5>(), Constant<6>());
  }
  if (width == 14) return f(Constant<3>(), Constant<14>());
  if (width == 10) return f(Constant<3>(), Constant<10>());
  return f(Constant<3>(), Constant<6>());
}

// Clocks at the ends of a block's phases, by its first thread, for a timed pass.
template <bool kTimed>
struct PhaseClock {
  int64_t* times;
  int phase = 0;

  __device__ void mark() {
    if constexpr (kTimed) {
      if (threadIdx.x == 0) times[blockIdx.x * kMostPhases + phase] = clock64();
      ++phase;
    }
  }
};

// A group on its way.
template <int kParts, bool kTimed>
struct Walk {
  const SampleProgram& program;
  const SampleBuffers& buffers;
  const SampleLaunch& how;
  Group<kParts> group;
  int first;    // sample of the batch
  int samples;  // of the group: at the end of a batch perhaps fewer than program.samples
  SampleDraw draw;
  PhaseClock<kTimed> clock;

  __device__ bool trains() const { return buffers.records != nullptr; }
  __device__ float* memory(int s) const { return sample_memory + s * program.sample_floats; }
  __device__ float* record(int s) const {
    return buffers.records + size_t(first + s) * size_t(program.record_floats);
  }
  __device__ SampleDraw draw_of(int s) const {
    SampleDraw of = draw;
    of.row += static_cast<uint32_t>(s);
    return of;
  }
  __device__ const Image& x_of(int op) const {
    return op == 0 ? program.image : program.ops[op - 1].y;
  }

  // Ends a stage. What `shared` parts stored for each other is there, too.
  __device__ void end_stage(bool shared) {
    if (shared) {
      group.sync();
    } else {
      __syncthreads();
    }
    clock.mark();
  }

  // Waits for this thread's part of the weights that op will read from shared memory.
  __device__ void await_weights(int op) const {
    if (op < program.count && program.ops[op].kind == OpKind::kLinear &&
        program.ops[op].weights >= 0) {
      __pipeline_wait_prior(0);
    }
  }
};

// The samples' images, normalised and perhaps distorted, and their labels. Reads nothing that a
// step writes.
template <class W>
__device__ void gather_samples(const W& walk, const Augmentation& augmentation, int* labels) {
  __shared__ uint32_t images[kMostSamples];
  __shared__ AffineMap maps[kMostSamples];
  const StepState& state = *walk.buffers.state;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < walk.samples) {
    const uint32_t image =
        state.order(state.position + walk.how.step_in_graph * static_cast<uint32_t>(walk.how.n) +
                    static_cast<uint32_t>(walk.first + thread));
    images[thread] = image;
    labels[thread] = walk.buffers.labels[image];
    if (augmentation.any()) {
      maps[thread] = draw_map(augmentation, state.seed, state.epoch, image);
    }
  }
  __syncthreads();
  const Image& x = walk.program.image;
  for (int s = 0; s < walk.samples; ++s) {
    const uint8_t* from = walk.buffers.images + size_t{images[s]} * kImagePixels;
    for (int i = thread; i < x.plane; i += static_cast<int>(blockDim.x)) {
      int column = i;
      const int r = x.by_row.divide(column) - x.top;
      const int q = column - x.left;
      float value = 0;
      if (r >= 0 && r < kImageSide && q >= 0 && q < kImageSide) {
        value =
            normalised(augmentation.any() ? sample(from, maps[s], r, q) : from[r * kImageSide + q]);
      }
      walk.memory(s)[x.offset + i] = value;
    }
  }
}

// Convolutions' weights into shared memory, and linear layers', where there is room for them, on
// their way there.
template <class W>
__device__ void load_all_weights(const W& walk) {
  for (int index = 0; index < walk.program.count; ++index) {
    const SampleOp& op = walk.program.ops[index];
    if (op.weights < 0) continue;
    const float* w = walk.buffers.parameters + op.weight;
    if (op.kind == OpKind::kConv) {
      if (op.kernel == 5) {
        load_kernels<5>(op, w, sample_memory);
      } else {
        load_kernels<3>(op, w, sample_memory);
      }
      continue;
    }
    const int inputs = op.channels * op.height * op.width;
    const Range own = op.split ? walk.group.share(op.out_channels) : Range{0, op.out_channels};
    w += own.first * inputs;
    for (int i = 4 * static_cast<int>(threadIdx.x); i < own.count() * inputs;
         i += 4 * static_cast<int>(blockDim.x)) {
      __pipeline_memcpy_async(sample_memory + op.weights + i, w + i, 16);
    }
  }
  __pipeline_commit();
}

// Calls f(w, width): w[o * inputs + i] is a weight of this part's outputs, in shared or in global
// memory, and width how many inputs are read at once.
template <class W, class F>
__device__ __forceinline__ void with_weights(const W& walk, const SampleOp& op, F f) {
  const int inputs = op.channels * op.height * op.width;
  if (op.weights >= 0) {
    const int first = op.split ? walk.group.share(op.out_channels).first : 0;
    f(sample_memory + op.weights - first * inputs, Constant<4>());
  } else if (inputs % 4 == 0) {
    f(walk.buffers.parameters + op.weight, Constant<4>());
  } else {
    f(walk.buffers.parameters + op.weight, Constant<1>());
  }
}

template <class W>
__device__ void forward_linear(const W& walk, const SampleOp& op, const Image& x) {
  const LinearGroup at = {sample_memory, walk.program.sample_floats};
  const float* b = walk.buffers.parameters + op.bias;
  with_weights(walk, op, [&](const float* w, auto width) {
    if (walk.program.samples == 1) {
      linear_forward<1, width>(op, x, at, w, b, walk.draw, walk.group);
    } else {
      linear_forward<kMostSamples, width>(op, x, at, w, b, walk.draw, walk.group);
    }
  });
  if (!walk.trains()) return;
  const Range own = walk.group.share(op.channels * op.height * op.width);
  for (int s = 0; s < walk.samples; ++s) {
    for (int i = own.first + static_cast<int>(threadIdx.x); i < own.last;
         i += static_cast<int>(blockDim.x)) {
      walk.record(s)[op.record_x + i] = walk.memory(s)[x.offset + i];
    }
  }
}

template <class W>
__device__ void forward(W& walk, int index) {
  const SampleOp& op = walk.program.ops[index];
  const Image& x = walk.x_of(index);
  if (op.kind == OpKind::kLinear) {
    forward_linear(walk, op, x);
  } else {
    const float* b = nullptr;
    if (op.kind == OpKind::kConv) {
      b = walk.buffers.parameters + op.bias;
      with_tile(op.kernel, op.forward.width, [&](auto kernel, auto width) {
        conv_forward<kernel, width>(op, x, sample_memory, walk.group.share(op.out_channels));
      });
      walk.end_stage(false);
    }
    for (int s = 0; s < walk.samples; ++s) {
      activation_forward(op, walk.memory(s), b, walk.draw_of(s), walk.group);
    }
  }
  walk.await_weights(index + 1);
  walk.end_stage(op.split);
}

template <class W>
__device__ void loss(W& walk, const int* labels, float scale, float smoothing) {
  const SampleOp& last = walk.program.ops[walk.program.count - 1];
  const int s = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (s < walk.samples) {
    const float* z = walk.memory(s) + last.y.offset;
    float* dz = walk.trains() ? walk.memory(s) + last.dy.offset : nullptr;
    const LossSums sums = sample_loss(dz, z, labels[s], scale, smoothing);
    const size_t row = static_cast<size_t>(walk.first + s);
    if (walk.group.rank() == 0) {
      if (lane == 0) walk.buffers.losses[row] = sums;
      if (walk.buffers.logits && lane < kClasses)
        walk.buffers.logits[row * kClasses + lane] = z[lane];
    }
  }
  walk.end_stage(false);
}

template <class W>
__device__ void backward_linear(W& walk, int index) {
  const SampleOp& op = walk.program.ops[index];
  const Range own = walk.group.share(op.out_channels);
  for (int s = 0; s < walk.samples; ++s) {
    float* const memory = walk.memory(s);
    for (int o = static_cast<int>(threadIdx.x); o < op.out_channels;
         o += static_cast<int>(blockDim.x)) {
      const float d = delta(op, memory, walk.draw_of(s), o, 0, 0);
      memory[op.dz.offset + o] = d;
      if (o >= own.first && o < own.last) walk.record(s)[op.record_d + o] = d;
    }
  }
  walk.end_stage(false);
  if (!op.input_grad) return;
  const LinearGroup at = {sample_memory, walk.program.sample_floats};
  with_weights(walk, op, [&](const float* w, auto width) {
    const Slices& dx = walk.program.ops[index - 1].dy;
    if (walk.program.samples == 1) {
      linear_input<1, width>(op, dx, at, w, walk.group);
    } else {
      linear_input<kMostSamples, width>(op, dx, at, w, walk.group);
    }
  });
  walk.end_stage(op.split);
}

template <class W>
__device__ void backward_conv(W& walk, int index) {
  const SampleOp& op = walk.program.ops[index];
  conv_delta(op, sample_memory, walk.draw, walk.group);
  walk.end_stage(op.exchange_dz);
  if (op.input_grad) {
    with_tile(op.kernel, op.input.width, [&](auto kernel, auto width) {
      conv_input<kernel, width>(op, walk.program.ops[index - 1].dy, sample_memory,
                                walk.group.share(op.channels));
    });
  }
  const Range own = walk.group.share(op.out_channels);
  with_tile(op.kernel, op.weight_tiles.width, [&](auto kernel, auto width) {
    conv_weights<kernel, width>(op, walk.x_of(index), sample_memory, walk.record(0), own);
  });
  conv_bias(op, sample_memory, walk.record(0), own);
  walk.end_stage(false);
  conv_weights_sum(op, sample_memory, walk.record(0), own);
}

template <class W>
__device__ void backward(W& walk, int index) {
  const SampleOp& op = walk.program.ops[index];
  if (op.kind == OpKind::kConv) return backward_conv(walk, index);
  if (op.kind == OpKind::kLinear) return backward_linear(walk, index);
  for (int s = 0; s < walk.samples; ++s) {
    activation_backward(op, walk.program.ops[index - 1].dy, walk.memory(s), walk.draw_of(s),
                        walk.group);
  }
  walk.end_stage(false);
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
constexpr bool kClusters = false;
#else
constexpr bool kClusters = true;
#endif

template <int kParts, bool kTimed>
__global__ void __launch_bounds__(kSampleThreads / kParts)
    sample_pass_kernel(const __grid_constant__ SampleProgram program,
                       const __grid_constant__ SampleBuffers buffers,
                       const __grid_constant__ Augmentation augmentation,
                       const __grid_constant__ SampleLaunch how) {
  if constexpr (kParts == 1 || kClusters) {
    __shared__ int labels[kMostSamples];
    const int first = static_cast<int>(blockIdx.x) / kParts * program.samples;
    const StepState& state = *buffers.state;
    Walk<kParts, kTimed> walk = {program,
                                 buffers,
                                 how,
                                 {},
                                 first,
                                 min(program.samples, how.n - first),
                                 {state.seed, state.step + how.step_in_graph,
                                  static_cast<uint32_t>(first), buffers.records != nullptr},
                                 {buffers.times}};
    walk.clock.mark();
    gather_samples(walk, augmentation, labels);
    walk.clock.mark();
    wait_for_kernel_in_front();
    load_all_weights(walk);
    walk.await_weights(0);
    walk.end_stage(true);  // the other part has started, and may be stored to
    for (int op = 0; op < program.count; ++op) forward(walk, op);
    loss(walk, labels, 1.0f / static_cast<float>(how.n), how.smoothing);
    if (!walk.trains()) return;
    for (int op = program.count; op-- > 0 && program.ops[op].backward;) backward(walk, op);
  }
}

template <int kParts>
auto kernel_of(bool timed) {
  return timed ? sample_pass_kernel<kParts, true> : sample_pass_kernel<kParts, false>;
}

}  // namespace

cudaError_t prepare_sample_pass(const SampleProgram& program, int parts) {
  const auto bytes = static_cast<int>(sizeof(float)) * program.shared_floats;
  for (const bool timed : {false, true}) {
    const auto kernel = parts == 2 ? kernel_of<2>(timed) : kernel_of<1>(timed);
    const cudaError_t error =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t sample_pass(const SampleProgram& program, const SampleBuffers& buffers,
                        const Augmentation& augmentation, const SampleLaunch& how,
                        cudaStream_t stream) {
  const bool timed = buffers.times != nullptr;
  const auto groups = blocks_for(static_cast<size_t>(how.n), program.samples);
  return launch({groups * static_cast<size_t>(how.parts), kSampleThreads / how.parts,
                 sizeof(float) * static_cast<size_t>(program.shared_floats), how.parts, how.early},
                how.parts == 2 ? kernel_of<2>(timed) : kernel_of<1>(timed), stream, program,
                buffers, augmentation, how);
}

}  // namespace digitron
