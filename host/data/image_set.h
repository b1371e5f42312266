// What the readers of data sets give.
#pragma once

#include <string>

#include "host/core/dataset.h"

namespace digitron {

struct ImageSet {
  Dataset data;
  Shape image;                // of each
  std::string images_sha256;  // of the images as an IDX file; empty when not computed
};

}  // namespace digitron
