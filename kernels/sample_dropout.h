// Dropout of one sample's elements, drawn where they are needed (host/shared/dropout.h).
#pragma once

#include "host/shared/dropout.h"
#include "kernels/sample_program.h"

namespace digitron {

// What a sample's draws depend on beside the layer.
struct SampleDraw {
  uint64_t seed;
  uint32_t step;  // over the whole run
  uint32_t row;   // of the sample in the batch
  bool training;  // else nothing is dropped
};

// What element e of the op's output is multiplied with.
__device__ inline float dropout_factor(const SampleOp& op, const SampleDraw& draw, int e) {
  if (!draw.training || op.dropout_layer < 0) return 1;
  const auto elements = static_cast<uint32_t>(op.out_channels * op.out_height * op.out_width);
  const auto at = static_cast<uint32_t>(e);
  const RandomWords words =
      dropout_words({draw.seed, draw.step, static_cast<uint32_t>(op.dropout_layer)},
                    draw.row * dropout_quads(elements) + at / 4);
  const uint32_t low = at % 2 == 0 ? words.word[0] : words.word[1];
  const uint32_t high = at % 2 == 0 ? words.word[2] : words.word[3];
  return dropout_factor(at % 4 < 2 ? low : high, op.dropout, op.gain);
}

}  // namespace digitron
