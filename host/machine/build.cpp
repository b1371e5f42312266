#include "host/machine/build.h"

#include <curl/curl.h>
#include <gnu/libc-version.h>
#include <openssl/crypto.h>
#include <png.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/version.h>
#include <zlib.h>

#include <boost/version.hpp>
#include <nlohmann/json.hpp>

namespace digitron {

namespace {

using nlohmann::ordered_json;

// "9.1.0" of 90100, as spdlog and fmt number themselves.
std::string dotted(int number) {
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

ordered_json libraries_json() {
  return {{"libc", gnu_get_libc_version()},
          {"libstdc++", std::to_string(_GLIBCXX_RELEASE)},
          {"spdlog", dotted(SPDLOG_VERSION)},
          {"fmt", dotted(FMT_VERSION)},
          {"nlohmann-json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                        NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
          {"boost", fmt::format("{}.{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000,
                                BOOST_VERSION % 100)},
          {"zlib", zlibVersion()},
          {"libpng", png_get_libpng_ver(nullptr)},
          {"libcurl", curl_version_info(CURLVERSION_NOW)->version},
          {"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)}};
}

}  // namespace

std::string version() {
  return DIGITRON_VERSION;
}

std::string compiler() {
  return DIGITRON_COMPILER ", " DIGITRON_BUILD_TYPE;
}

std::string version_line() {
  constexpr size_t kShownDigits = 12;
  const std::string commit = std::string(kBuildCommit).substr(0, kShownDigits);
  std::string line = "digitron " + version() + " (";
  if (!commit.empty()) line += "commit " + commit + ", ";
  if (kBuildDirty == std::string("true")) line += "changed, ";
  return line + compiler() + ", " + DIGITRON_CUDA_MODULE + ")";
}

ordered_json build_json() {
  const std::string commit = kBuildCommit;
  const std::string dirty = kBuildDirty;
  return {{"version", version()},
          {"commit", commit.empty() ? ordered_json() : ordered_json(commit)},
          {"dirty", dirty.empty() ? ordered_json() : ordered_json(dirty == "true")},
          {"compiler", DIGITRON_COMPILER},
          {"build_type", DIGITRON_BUILD_TYPE},
          {"flags", DIGITRON_FLAGS},
          {"kernel_flags", DIGITRON_KERNEL_FLAGS},
          {"libraries", libraries_json()}};
}

}  // namespace digitron
