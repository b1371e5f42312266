// A linear layer, with the ReLU and the dropout after it. Its weights' gradients are one matrix
// product over the whole batch, for which the batch keeps every block's inputs, one sample a row,
// and the gradients of its outputs.
//
// A first stage keeps no inputs, which are the images, and has nearly all of a network's weights.
// So that these need not go from core to core in every step, a thread has some rows of some columns
// for itself, gathers the pixels that belong to them, and makes its part of every sample's sums
// before the blocks set out, and their gradients and update afterwards, when it goes straight on to
// the next step's sums. Only sums and the gradients of outputs cross. The columns' parts are stored
// one after another: in the plan's rows of all columns, the hardware would prefetch the other
// threads' part of each row with one's own.
#pragma once

#include <algorithm>

#include "host/cpu/stages/dropout.h"

namespace digitron {

class LinearStage : public StageBase {
 public:
  static constexpr bool kLearns = true;
  static constexpr bool kMixesChannels = true;

  // Some rows of some columns of the weights.
  struct Tile {
    int part;  // of the columns
    Range columns;
    Range outputs;
  };

  LinearStage(const StageRequest& request, const Linear&);

  // Calls f(tile) for each of a thread's.
  template <class F>
  void for_each_tile(Worker worker, const F& f) const {
    if (!from_images_) return f(Tile{0, {0, inputs()}, share(outputs(), worker)});
    const Range rows = share(kColumnParts * outputs(), worker);
    for (int part = 0; part < kColumnParts; ++part) {
      const int first = part * outputs();
      const Range mine{std::max(rows.first - first, 0), std::min(rows.last - first, outputs())};
      if (mine.count() > 0) f(Tile{part, columns({part, kColumnParts}), mine});
    }
  }
  // Of a first stage: a tile's part of the sums, for blocks whose pixels of its columns have been
  // gathered to where the inputs begin.
  void forward_tile(const StagePass& pass, const Tile& tile, std::span<const Block> blocks) const;
  // Between the plan's order of a flat buffer of parameters and this stage's; the rest stays.
  void to_stored_order(float* stored, const float* planned) const;
  void to_plan_order(float* planned, const float* stored) const;

  void forward(const StagePass& pass, std::span<const Block> blocks) const;
  void backward(const StagePass& pass, std::span<const Block> blocks) const;
  void gradients(const GradientPass& pass) const;

  int64_t forward_work(Worker part) const;
  int64_t backward_work(Worker part) const;
  int64_t gradient_work(Worker worker) const;

 private:
  // The parts of a first stage's columns, and of its sums, which are added in pairs, and these
  // then, however many threads there are. Four threads gather no pixel twice. Where one thread
  // makes both of each pair, it adds the second on the spot.
  static constexpr int kColumnParts = 4;
  static bool adds_pairs(const StagePass& pass) { return pass.threads <= kColumnParts / 2; }

  int inputs() const { return in.shape.count(); }
  int outputs() const { return out.shape.count(); }
  // Floats of a sample's row: whole vectors.
  int row_floats() const { return (inputs() + kLanes - 1) / kLanes * kLanes; }
  // A part of the weights' columns, in whole vectors.
  Range columns(Worker part) const;
  float* input_rows(const BatchMemory& batch, int block) const;
  float* output_gradients(const BatchMemory& batch, int block) const;
  // The parts of a block's sums: (kColumnParts, outputs, kLanes).
  float* sums(const StagePass& pass, const Block& block) const;
  size_t sums_floats() const { return size_t(kColumnParts) * outputs() * kLanes; }
  void add_sums(const StagePass& pass, std::span<const Block> blocks) const;
  void multiply(const StagePass& pass, std::span<const Block> blocks) const;
  // Where the tile's weights begin; its rows of columns follow each other.
  size_t stored_at(const Tile& tile) const;
  template <class F>
  void for_each_stored_row(const F& f) const;
  // Of a first stage a thread's biases are those that it adds to its sums: it has updated them
  // itself when it goes on to the next step's.
  void bias_gradients(const GradientPass& pass, Range mine) const;
  void weight_gradients(const GradientPass& pass, const Tile& tile) const;
  void strip_gradients(const GradientPass& pass, const Tile& tile, Range strip) const;

  bool from_images_;
  size_t weight_, bias_;  // offsets into the parameters
  std::optional<BlockDropout> dropout_;
  // Places in the batch's floats.
  size_t input_rows_ = 0;  // unless from_images_
  size_t sums_ = 0;        // where from_images_
};

}  // namespace digitron
