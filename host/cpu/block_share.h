// Which blocks of a batch a thread takes through the network, and which it takes together with
// others.
#pragma once

#include "host/cpu/kernels.h"
#include "host/cpu/worker.h"

namespace digitron {

inline int blocks_of(int samples) {
  return (samples + kLanes - 1) / kLanes;
}

// Each thread has as many whole blocks, which need nobody else; what is left over is taken by crews
// of as even size, a block each. All is fixed by the three numbers, so that a block's memory stays
// in the same cores' caches from step to step.
struct BlockShare {
  Range whole;
  int left = -1;          // the block that is left for the thread's crew; -1: none
  Worker part{0, 1};      // the thread's place in the crew
  int first_in_crew = 0;  // which of all threads has place 0

  bool has_crew() const { return left >= 0 && part.count > 1; }
};

inline BlockShare share_blocks(int blocks, Worker worker) {
  const int each = blocks / worker.count;
  const int left = blocks % worker.count;
  BlockShare mine{.whole = {worker.index * each, (worker.index + 1) * each}};
  if (left == 0) return mine;
  // The crew whose share of the threads, in equal parts for all crews, this one is in.
  const int crew = ((worker.index + 1) * left - 1) / worker.count;
  const Range threads = share(worker.count, {crew, left});
  mine.left = worker.count * each + crew;
  mine.part = {worker.index - threads.first, threads.count()};
  mine.first_in_crew = threads.first;
  return mine;
}

}  // namespace digitron
