// Where some threads meet, several thousand times a second.
#pragma once

#include <atomic>

#include "host/cpu/patience.h"

namespace digitron {

class Barrier {
 public:
  // Called by `threads` threads, the same number each time until all have come: none leaves before.
  void meet(int threads);

 private:
  alignas(64) std::atomic<int> waiting_{0};
  alignas(64) std::atomic<int> generation_{0};
  Patience::Clock::time_point last_came_;  // for those that see the generation change
};

}  // namespace digitron
