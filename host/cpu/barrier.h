// Where some threads meet, several thousand times a second. Waiting spins first, because the next
// piece of work is microseconds away, and soon sleeps, because the machine may have fewer free
// cores than there are threads.
#pragma once

#include <atomic>

namespace digitron {

class Barrier {
 public:
  // Called by `threads` threads, the same number each time until all have come: none leaves before.
  void meet(int threads);

 private:
  alignas(64) std::atomic<int> waiting_{0};
  alignas(64) std::atomic<int> generation_{0};
};

}  // namespace digitron
