// Where a test program finds what it was built beside, also when it has moved (tools/gpu_bundle).
#pragma once

#include <cstdlib>
#include <string>

namespace digitron::testing {

// The environment's `variable`, or the path of the build.
inline std::string moved(const char* variable, const char* built) {
  const char* path = std::getenv(variable);
  return path ? path : built;
}

}  // namespace digitron::testing
