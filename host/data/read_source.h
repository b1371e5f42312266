// One half of a data set from where it lies: a directory in one of three forms, or drawn.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "host/core/engine.h"
#include "host/data/image_set.h"

namespace digitron {

inline constexpr const char* kSynthetic = "synthetic";  // the source that is drawn

struct ReadSet {
  ImageSet set;
  std::array<std::filesystem::path, 2> files = {};  // images and labels, of IDX files
  std::vector<std::string> class_names = {};        // that its form has; empty: by number
};

// Whether a directory has a file of a data set, even if others are missing.
bool has_data(const std::filesystem::path& directory);

// Of a directory with IDX files, CIFAR-10's binary files or folders of PNGs, or kSynthetic. Throws
// InputError where there is none of these, or one is not whole. `words`: what else a source can be,
// for the message.
ReadSet read_source(const std::string& source, Split split, const std::string& words);

// The place of a split's images in KnownDataset::files; its labels follow.
constexpr size_t first_file(Split split) {
  return split == Split::kTrain ? 0 : 2;
}

}  // namespace digitron
