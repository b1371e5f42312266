// Files from public mirrors, trusted only by their check sums.
#pragma once

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

// Gets every file as directory/name.gz, creating the directory. A mirror is the part of a URL
// before "/name.gz"; each file takes the first mirror that gives the right bytes. Nothing is
// written before all files are here and verified. A new directory appears with all of them at once;
// in one that is there each goes to a temporary name and is renamed. After a failure what was
// created is removed. Throws MachineError with every mirror's reason, or as write_file_atomically
// does.
void download_files(std::span<const std::string> mirrors, std::span<const KnownFile> files,
                    const std::filesystem::path& directory);

}  // namespace digitron
