// SHA-256 in hexadecimal, over OpenSSL.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;

namespace digitron {

// Takes the bytes in pieces, then gives the sum once.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const uint8_t> bytes);
  std::string hex();  // 64 lower-case digits

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

// Of bytes that are all there.
std::string sha256_hex(std::span<const uint8_t> bytes);

}  // namespace digitron
