// The asynchronous copies of one device thread.
#pragma once

#include <cstddef>
#include <vector>

namespace host_cuda {

// A copy is done when the thread waits for it. Until then its target is poisoned.
class AsyncCopies {
 public:
  void add(void* to, const void* from, size_t bytes, size_t zeros);
  void commit();
  // Does the copies of all commits but the last `commits_left`.
  void wait(size_t commits_left);
  size_t pending() const { return copies_.size(); }

 private:
  struct Copy {
    void* to;
    const void* from;
    size_t bytes;
    size_t zeros;
    size_t commit;  // number of commits before it
  };

  std::vector<Copy> copies_;
  size_t commits_ = 0;
};

}  // namespace host_cuda
