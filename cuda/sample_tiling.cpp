#include "cuda/sample_tiling.h"

#include <algorithm>
#include <limits>

#include "kernels/sample_program.h"

namespace digitron {

namespace {

constexpr int kMostSlices = 16;
constexpr int kRowOverhead = 8;    // instructions around a row's products: addresses, the loop
constexpr int kSliceOverhead = 2;  // to add one more slice to a value

int divide_up(int a, int b) {
  return (a + b - 1) / b;
}

int rounds(int items) {
  return divide_up(items, kSampleThreads);
}

Tiling tiling(int width, int columns) {
  const int count = divide_up(columns, width);
  return {width, count, Divisor(count)};
}

// The best of what `consider` says of each tile width and number of slices: instructions of the
// busiest thread, and floats of the slices.
template <class Consider>
TiledChoice best(int columns, int most_slices, int most_floats, const Consider& consider) {
  TiledChoice chosen{};
  int least = std::numeric_limits<int>::max();
  for (const int width : kTileWidths) {
    for (int slices = 1; slices <= std::min(most_slices, kMostSlices); ++slices) {
      const Tiling tiles = tiling(width, columns);
      const auto [instructions, floats] = consider(tiles, slices);
      if ((slices > 1 && floats > most_floats) || instructions >= least) continue;
      least = instructions;
      chosen = {tiles, slices};
    }
  }
  return chosen;
}

struct Cost {
  int instructions;
  int floats;
};

}  // namespace

TiledChoice choose_tiling(const TiledStage& stage, int most_floats) {
  return best(stage.columns, stage.depth, most_floats, [&](const Tiling& tiles, int slices) {
    const int k = stage.kernel;
    const int row = tiles.width * k + (tiles.width + k - 1) / 2 + 2 + kRowOverhead;
    const int made = stage.outputs * stage.height * tiles.count * tiles.width;
    return Cost{rounds(stage.outputs * stage.rows * tiles.count * slices) *
                        divide_up(stage.depth, slices) * k * row +
                    rounds(made) * slices * kSliceOverhead,
                slices * made};
  });
}

TiledChoice choose_weight_tiling(int kernel, int outputs, int channels, int rows, int columns,
                                 int most_floats) {
  return best(columns, rows, most_floats, [&](const Tiling& tiles, int slices) {
    const int unit = tiles.width * kernel + tiles.width + kernel / 2 + kRowOverhead;
    const int made = outputs * channels * kernel * kernel;
    return Cost{rounds(outputs * channels * kernel * slices) *
                        divide_up(rows * tiles.count, slices) * unit +
                    (slices > 1 ? rounds(made) * slices * kSliceOverhead : 0),
                slices * made};
  });
}

int choose_linear_slices(int inputs, int outputs, int most_floats) {
  const int columns = inputs % 4 == 0 ? inputs / 4 : inputs;
  int chosen = 1;
  int least = std::numeric_limits<int>::max();
  for (int slices = 1; slices <= std::min(outputs, kMostSlices); slices += slices == 1 ? 1 : 2) {
    const int instructions = rounds(columns * slices) * divide_up(outputs, slices) * 6 +
                             rounds(inputs) * slices * kSliceOverhead;
    if ((slices > 1 && slices * inputs > most_floats) || instructions >= least) continue;
    least = instructions;
    chosen = slices;
  }
  return chosen;
}

}  // namespace digitron
