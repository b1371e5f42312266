// What large .gz files hold, kept from run to run: it is sooner read than inflated and summed anew.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace digitron {

struct Inflated {
  std::vector<uint8_t> bytes;
  std::string sha256;  // of all contents, those left out of `bytes` too; empty when not computed
};

// $XDG_CACHE_HOME/digitron, or ~/.cache/digitron where that variable has no absolute path. Nothing
// with DIGITRON_CACHE=off, and without a home.
std::optional<std::filesystem::path> cache_directory();

// The entry of one .gz file. Its name is the SHA-256 of the .gz and that of the contents, so that
// another .gz has another entry, whatever its name and date; its bytes are the contents, which must
// have the length and the CRC-32 that the .gz ends with. What fails that check is as good as
// absent.
class InflatedEntry {
 public:
  // `gz`: all bytes of a .gz file with `size` bytes of contents.
  InflatedEntry(std::filesystem::path directory, std::span<const uint8_t> gz, uint64_t size);

  // The contents but their first `skip` bytes, or nothing.
  std::optional<Inflated> find(size_t skip) const;

  // Writes the entry, after making the directory and the one above where they are missing, and
  // removes all but the newest few of the directory. What goes wrong is logged for debugging and
  // costs nothing but the next run's time. Returns the SHA-256 of the contents.
  std::string keep(std::span<const uint8_t> contents) const;

 private:
  std::optional<std::vector<uint8_t>> read(const std::filesystem::path& path, size_t skip) const;

  std::filesystem::path directory_;
  std::string gz_sha256_;
  uint64_t size_;
  uint32_t crc32_;
};

}  // namespace digitron
