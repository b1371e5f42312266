// Files from public mirrors, trusted only by their check sums.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace digitron {

struct KnownFile {
  enum class Sum { kContents, kGz };

  std::string name;    // uncompressed: a mirror has name.gz
  std::string sha256;  // of the uncompressed bytes, or of the .gz
  Sum of = Sum::kContents;
};

// What a server may take of our time and memory, a file. A machine without network must not wait
// long; the whole time is 17 kB/s for MNIST's largest file, of which 47 MB come out.
struct DownloadLimits {
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds whole{600'000};
  std::chrono::seconds stalled{15};         // below 1 kB/s for so long
  size_t most_bytes = size_t{64} << 20;     // as sent, and as they inflate
  std::filesystem::path certificates = {};  // of authorities, a PEM file; empty: the system's
};

// Gets every file as directory/name.gz, creating the directory. A mirror is the part of a URL
// before "/name.gz": https, http or file; each file takes the first mirror that gives the right
// bytes. Nothing is written before all files are here and verified. A directory that is new or
// empty has all of them at once, from whichever of several programs was first; in another each
// file goes to a temporary name and is renamed. After a failure what was created is removed. Throws
// MachineError with every mirror's reason, or as write_file_atomically does.
void download_files(std::span<const std::string> mirrors, std::span<const KnownFile> files,
                    const std::filesystem::path& directory, const DownloadLimits& limits = {});

}  // namespace digitron
