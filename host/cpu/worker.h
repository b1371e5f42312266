// Who does which part of a piece of work.
#pragma once

#include <cstdint>

namespace digitron {

// One of the threads that do a piece of work together: the one with this index of `count`.
struct Worker {
  int index;
  int count;
};

// [first, last) of rows, columns, blocks or parameters.
struct Range {
  int first;
  int last;

  int count() const { return last - first; }
};

// The part of `count` things that falls to one worker.
inline Range share(int count, Worker worker) {
  return {static_cast<int>(int64_t{count} * worker.index / worker.count),
          static_cast<int>(int64_t{count} * (worker.index + 1) / worker.count)};
}

}  // namespace digitron
