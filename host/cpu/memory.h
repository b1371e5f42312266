// The CPU engine's memory: what a thread owns, what a block of samples needs on its way through the
// network and back, and what a batch keeps of all its blocks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "host/cpu/aligned.h"
#include "host/cpu/kernels.h"

namespace digitron {

// What blocks find in a core's cache when they come round again.
inline constexpr size_t kCachedFloats = (size_t{2} << 20) / sizeof(float);

// How much of each, in elements. A stage takes its places here when it is made; all are whole cache
// lines.
struct MemorySizes {
  // One block on its way. A thread has some of these and uses them again and again, while they are
  // in cache.
  size_t passing_floats = 0;
  size_t scratch_floats = 0;  // the most that a stage needs at once, in passing_floats at the end
  size_t scratch = 0;         // where that begins

  // What a block is found to have left when the threads have met. In a network of one segment a
  // thread uses this again too; in several, every block of a batch has its own.
  size_t kept_floats = 0;
  size_t kept_winners = 0;  // of max-poolings

  // A thread's.
  size_t strip_floats = 0;      // columns of the images, for a linear layer that reads them
  size_t constants_floats = 0;  // of batch normalisations, and convolutions' transformed weights

  // What a batch keeps of each block.
  size_t batch_floats = 0;
  size_t batch_partials = 0;  // partial gradients of convolutions and batch normalisations
  size_t batch_moments = 0;   // of batch normalisations

  // The place of `count` more.
  static size_t take(size_t& end, size_t count) {
    const size_t place = end;
    end += (count + kLineFloats - 1) / kLineFloats * kLineFloats;
    return place;
  }
};

struct ThreadMemory {
  explicit ThreadMemory(const MemorySizes& sizes)
      : strip(make_aligned<float>(sizes.strip_floats)),
        constants(make_aligned<float>(sizes.constants_floats)) {}

  AlignedArray<float> strip;
  AlignedArray<float> constants;
};

struct BlockMemory {
  // Of so many blocks that are on their way, and so many that are kept.
  BlockMemory(const MemorySizes& sizes, int passing_blocks, int kept_blocks)
      : passing(make_aligned<float>(sizes.passing_floats * static_cast<size_t>(passing_blocks))),
        kept(make_aligned<float>(sizes.kept_floats * static_cast<size_t>(kept_blocks))),
        winners(make_aligned<uint16_t>(sizes.kept_winners * static_cast<size_t>(kept_blocks))) {}

  AlignedArray<float> passing;
  AlignedArray<float> kept;
  AlignedArray<uint16_t> winners;
};

class BatchMemory {
 public:
  BatchMemory(const MemorySizes& sizes, int blocks)
      : sizes_(sizes),
        blocks_(static_cast<size_t>(blocks)),
        floats_(make_aligned<float>(sizes.batch_floats * blocks_)),
        partials_(make_aligned<float>(sizes.batch_partials * blocks_)),
        moments_(make_aligned<Moments>(sizes.batch_moments * blocks_)) {}

  // A place of `count` floats a block: the blocks follow each other.
  float* floats(size_t place, size_t count, int block) const {
    return floats_.get() + place * blocks_ + count * static_cast<size_t>(block);
  }
  // Partial gradients of one block; partial_stride() further on are those of the next.
  float* partials(size_t place, int block) const {
    return partials_.get() + sizes_.batch_partials * static_cast<size_t>(block) + place;
  }
  size_t partial_stride() const { return sizes_.batch_partials; }
  Moments* moments(size_t place, int block) const {
    return moments_.get() + sizes_.batch_moments * static_cast<size_t>(block) + place;
  }

 private:
  MemorySizes sizes_;
  size_t blocks_;
  AlignedArray<float> floats_;
  AlignedArray<float> partials_;
  AlignedArray<Moments> moments_;
};

}  // namespace digitron
