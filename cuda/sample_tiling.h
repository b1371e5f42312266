// How a convolution's stages in the fused step are divided among the threads of a group.
#pragma once

#include "kernels/sample_program.h"

namespace digitron {

// A stage that makes `outputs` planes of rows of `columns`, each value a sum over `depth` channels.
struct TiledStage {
  int kernel;
  int outputs;
  int rows;    // that threads take
  int height;  // rows of what is made: for dx more than threads take
  int columns;
  int depth;
};

struct TiledChoice {
  Tiling tiling;
  int slices;
};

// The tile and the number of slices for which the busiest thread issues least, with no more than
// `most_floats` for the slices where there are several.
TiledChoice choose_tiling(const TiledStage& stage, int most_floats);

// The same for the gradients of a convolution's weights (outputs, channels, kernel, kernel), whose
// slices are parts of z's tiles.
TiledChoice choose_weight_tiling(int kernel, int outputs, int channels, int rows, int columns,
                                 int most_floats);

// The slices of a linear layer's input gradient: an even number, or 1.
int choose_linear_slices(int inputs, int outputs, int most_floats);

}  // namespace digitron
