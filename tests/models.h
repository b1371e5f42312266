// The known models by function, for tests.
#pragma once

#include "host/core/model.h"

namespace digitron {

// Not MNIST's in anything: three channels, rows that are not made of fours, twelve classes.
inline Task coloured_task() {
  return {{3, 11, 13}, numbered_classes(12), {0.4f, 0.5f, 0.6f}, {0.2f, 0.25f, 0.3f}};
}

inline Model lenet5() {
  return find_model("lenet5");
}

inline Model custom_mlp() {
  return find_model("custom-mlp");
}

inline Model lenet5_improved() {
  return find_model("lenet5-improved");
}

}  // namespace digitron
