// A text file as a whole.
#pragma once

#include <filesystem>
#include <string>

namespace digitron {

// The file's bytes, all of them. Throws InputError, which ends with `advice`, when it is not there
// or may not be read, and MachineError when the disk fails: half a file is never taken for one. The
// caller has seen that it is a regular file.
std::string read_text(const std::filesystem::path& path, const std::string& advice);

}  // namespace digitron
