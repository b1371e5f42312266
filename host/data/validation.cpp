#include "host/data/validation.h"

namespace digitron {

TrainingSplit split_validation(const std::shared_ptr<const Dataset>& all, int count) {
  if (count == 0) return {all, nullptr};
  const std::ptrdiff_t kept = all->count() - count;
  const auto pixels = static_cast<std::ptrdiff_t>(all->images.size() / all->labels.size());
  const auto image = all->images.begin() + kept * pixels;
  const auto label = all->labels.begin() + kept;
  return {
      std::make_shared<Dataset>(
          Dataset{{all->images.begin(), image}, {all->labels.begin(), label}}),
      std::make_shared<Dataset>(Dataset{{image, all->images.end()}, {label, all->labels.end()}})};
}

}  // namespace digitron
