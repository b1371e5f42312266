// Places in shared memory for tensors that do not all live at the same time.
#pragma once

#include <vector>

namespace digitron {

class SharedLayout {
 public:
  // Asks for `floats`, of which stages `first` to `last` have need; place() sets *offset, which
  // must live until then.
  void add(int* offset, int floats, int first, int last) {
    buffers_.push_back({offset, (floats + 3) / 4 * 4, first, last});
  }

  // Gives each a place, in floats, a multiple of 4, that no other has at the same time: the largest
  // first, each as low as it can be. Returns the floats of all.
  int place();

 private:
  struct Buffer {
    int* offset;
    int floats;
    int first, last;
  };

  std::vector<Buffer> buffers_;
};

}  // namespace digitron
