// How much of a training step falls to one thread, counted in the multiply-adds of convolutions and
// linear layers. By the same division as the engine's: see share_blocks and the stages.
#pragma once

#include <cstdint>

#include "host/cpu/layout.h"

namespace digitron {

// The thread with the most, in each of a step's two phases, at whose end all threads meet. Lanes of
// a ragged block's missing samples count as any.
int64_t longest_work(const CpuLayout& layout, int batch, int threads);

// The fewest threads, of at most `most`, with which longest_work is within a twentieth of the least
// there is: with more, some would only wait.
int useful_threads(const CpuLayout& layout, int batch, int most);

}  // namespace digitron
