// The known models by function, for tests.
#pragma once

#include "host/core/model.h"

namespace digitron {

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
