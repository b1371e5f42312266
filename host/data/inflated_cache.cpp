#include "host/data/inflated_cache.h"

#include <libdeflate.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "host/core/huge_pages.h"
#include "host/data/sha256.h"
#include "host/files/atomic_file.h"

namespace digitron {

namespace {

// Two data sets have four large files.
constexpr size_t kMostEntries = 8;

// Small enough to stay in the L2 cache between the file, the check sum and the copy into place.
constexpr size_t kPieceBytes = size_t{128} << 10;

constexpr size_t kSha256Digits = 64;

std::string_view environment_variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A .gz ends with the CRC-32 and the size of its contents.
uint32_t promised_crc32(std::span<const uint8_t> gz) {
  const auto b = gz.last(8);
  return uint32_t{b[3]} << 24 | uint32_t{b[2]} << 16 | uint32_t{b[1]} << 8 | b[0];
}

// What is in the directory: nothing when it cannot be read.
std::vector<std::filesystem::path> paths_in(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (std::filesystem::directory_iterator i(directory, error), end; !error && i != end;
       i.increment(error))
    paths.push_back(i->path());
  return paths;
}

void make_directory(const std::filesystem::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    throw std::system_error(errno, std::generic_category(), "cannot create " + path.string());
}

// Temporaries that a killed program left are among the entries, and go as these do. Another process
// may be faster: what is gone has no date and needs no removal.
void remove_old_entries(const std::filesystem::path& directory) {
  std::error_code ignored;
  std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> entries;
  for (const std::filesystem::path& path : paths_in(directory))
    entries.emplace_back(std::filesystem::last_write_time(path, ignored), path);
  std::sort(entries.rbegin(), entries.rend());
  for (size_t i = kMostEntries; i < entries.size(); ++i)
    std::filesystem::remove(entries[i].second, ignored);
}

}  // namespace

std::optional<std::filesystem::path> cache_directory() {
  if (environment_variable("DIGITRON_CACHE") == "off") return std::nullopt;
  const std::filesystem::path cache(environment_variable("XDG_CACHE_HOME"));
  if (cache.is_absolute()) return cache / "digitron";
  const std::filesystem::path home(environment_variable("HOME"));
  if (home.is_absolute()) return home / ".cache" / "digitron";
  return std::nullopt;
}

InflatedEntry::InflatedEntry(std::filesystem::path directory, std::span<const uint8_t> gz,
                             uint64_t size)
    : directory_(std::move(directory)),
      gz_sha256_(sha256_hex(gz)),
      size_(size),
      crc32_(promised_crc32(gz)) {}

std::optional<Inflated> InflatedEntry::find(size_t skip) const {
  const std::string start = gz_sha256_ + "-";
  for (const std::filesystem::path& path : paths_in(directory_)) {
    const std::string name = path.filename();
    if (name.size() != start.size() + kSha256Digits || !name.starts_with(start)) continue;
    if (auto bytes = read(path, skip))
      return Inflated{*std::move(bytes), name.substr(start.size())};
    spdlog::debug("{} is damaged and not used", path.string());
  }
  return std::nullopt;
}

std::optional<std::vector<uint8_t>> InflatedEntry::read(const std::filesystem::path& path,
                                                        size_t skip) const {
  std::error_code error;
  if (std::filesystem::file_size(path, error) != size_ || error) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  std::vector<uint8_t> piece(kPieceBytes);
  std::vector<uint8_t> bytes = reserve_huge(size_);
  uint32_t crc32 = 0;
  for (uint64_t left = size_; left > 0;) {
    const auto part = std::span(piece).first(std::min<uint64_t>(left, kPieceBytes));
    if (!file.read(reinterpret_cast<char*>(part.data()), static_cast<std::streamsize>(part.size())))
      return std::nullopt;
    crc32 = libdeflate_crc32(crc32, part.data(), part.size());
    const auto wanted = part.subspan(std::min(skip, part.size()));
    bytes.insert(bytes.end(), wanted.begin(), wanted.end());
    skip -= part.size() - wanted.size();
    left -= part.size();
  }
  return crc32 == crc32_ ? std::optional(std::move(bytes)) : std::nullopt;
}

std::string InflatedEntry::keep(std::span<const uint8_t> contents) const {
  std::string sha256 = sha256_hex(contents);
  try {
    make_directory(directory_.parent_path());
    make_directory(directory_);
    write_file_atomically(directory_ / (gz_sha256_ + "-" + sha256),
                          {reinterpret_cast<const char*>(contents.data()), contents.size()},
                          Sync::kNo);
    remove_old_entries(directory_);
  } catch (const std::exception& error) {
    spdlog::debug("inflated data is not kept: {}", error.what());
  }
  return sha256;
}

}  // namespace digitron
