// Which runs answer the assignment's questions, and how far apart they are.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "host/report/run_group.h"
#include "host/text/significance.h"

namespace digitron {

struct Roles {
  const RunGroup* lenet5 = nullptr;  // the first group of --model lenet5
  const RunGroup* mlp = nullptr;     // the first of --model custom-mlp, on LeNet-5's data if any is
  // LeNet-5 with other regularisation or settings, on the same data.
  std::vector<const RunGroup*> variants;
  // What all the others are compared with: LeNet-5, or the first group; nullptr where there is
  // none.
  const RunGroup* reference = nullptr;
  // The final test accuracy of each group on the reference's data against the reference's.
  std::map<const RunGroup*, Significance> significance;

  // Nothing of a group that is not compared.
  Significance of(const RunGroup& group) const;
  bool is_variant(const RunGroup& group) const;
};

Roles roles_of(std::span<const RunGroup> groups);

// Whether both learned from the same data, as far as they say.
bool same_data(const RunGroup& a, const RunGroup& b);

}  // namespace digitron
