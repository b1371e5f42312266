#include "host/core/metrics.h"

#include <algorithm>
#include <cmath>

namespace digitron {

double cross_entropy(std::span<const float> logits, size_t label) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[label];
}

}  // namespace digitron
