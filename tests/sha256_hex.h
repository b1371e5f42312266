// SHA-256 of bytes that are all there, in one call.
#pragma once

#include "host/data/sha256.h"

namespace digitron {

inline std::string sha256_hex(std::span<const uint8_t> bytes) {
  Sha256 sha256;
  sha256.update(bytes);
  return sha256.hex();
}

}  // namespace digitron
