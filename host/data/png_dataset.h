// A data set as a folder of PNG images.
#pragma once

#include <filesystem>

#include "host/data/image_set.h"

namespace digitron {

// Every `{number}_{label}.png` of a folder, in the order of number, in grey, as read_png_grey reads
// them. Throws InputError naming the file when a PNG is broken, of another size than the first, or
// not named so, when two have one number, or when there is none. Other files are left alone.
ImageSet read_png_dataset(const std::filesystem::path& folder);

}  // namespace digitron
