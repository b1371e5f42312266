// This build of the program, as run.json, bench files and `digitron devices --json` have it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace digitron {

std::string version();   // "0.1.0"
std::string compiler();  // "GNU 12.2.0, Release"

// What --version says: "digitron 0.1.0 (commit 0123456789ab, GNU 12.2.0, Release, CUDA 13.0, cuDNN
// 9.12.0)"; "changed" follows a commit from which the sources differed.
std::string version_line();

// The commit that was built, 40 digits, and whether the sources differed from it: "true" or
// "false". Both are empty where git did not know. In a file that tools/build_commit.cmake writes.
extern const char* const kBuildCommit;
extern const char* const kBuildDirty;

// version; commit and dirty, null where git did not know; compiler; build_type; flags, of every
// file; kernel_flags, of the CPU engine's kernels besides; libraries: their versions, as loaded
// where they tell, otherwise as compiled.
nlohmann::ordered_json build_json();

}  // namespace digitron
