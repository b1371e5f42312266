// Sets a part of the training set aside for validation.
#pragma once

#include <memory>

#include "host/core/dataset.h"

namespace digitron {

struct TrainingSplit {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> validation;  // null when there is none
};

// The last `count` images (fewer than all) become the validation set; 0: none.
TrainingSplit split_validation(const std::shared_ptr<const Dataset>& all, int count);

}  // namespace digitron
