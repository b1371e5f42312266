#include "host/report/roles.h"

#include <algorithm>

#include "host/report/changes.h"

namespace digitron {

namespace {

std::string id_of(const RunGroup& group) {
  return group.runs[0]->text({"model", "id"});
}

const RunGroup* first_of(std::span<const RunGroup> groups, const std::string& id,
                         const RunGroup* same_data_as) {
  const RunGroup* first = nullptr;
  for (const RunGroup& group : groups) {
    if (id_of(group) != id) continue;
    if (same_data_as != nullptr && same_data(group, *same_data_as)) return &group;
    if (first == nullptr) first = &group;
  }
  return first;
}

std::vector<const RunGroup*> variants_of(const RunGroup& lenet5, std::span<const RunGroup> groups) {
  std::vector<const RunGroup*> variants;
  const std::optional<Plan>& plan = lenet5.runs[0]->plan;
  for (const RunGroup& group : groups) {
    const std::optional<Plan>& other = group.runs[0]->plan;
    if (&group == &lenet5 || !plan || !other || !same_data(group, lenet5)) continue;
    if (same_but_regularised(*plan, *other)) variants.push_back(&group);
  }
  return variants;
}

void compare_with_reference(Roles& roles, std::span<const RunGroup> groups) {
  std::vector<const RunGroup*> others;
  std::vector<std::optional<Statistics>> accuracies;
  for (const RunGroup& group : groups) {
    if (&group == roles.reference || !same_data(group, *roles.reference)) continue;
    others.push_back(&group);
    accuracies.push_back(group.final_figure(&EpochRecord::test_accuracy));
  }
  const auto tests =
      significances(roles.reference->final_figure(&EpochRecord::test_accuracy), accuracies);
  for (size_t i = 0; i < others.size(); ++i) roles.significance[others[i]] = tests[i];
}

}  // namespace

Significance Roles::of(const RunGroup& group) const {
  const auto entry = significance.find(&group);
  return entry == significance.end() ? Significance() : entry->second;
}

bool Roles::is_variant(const RunGroup& group) const {
  return std::find(variants.begin(), variants.end(), &group) != variants.end();
}

Roles roles_of(std::span<const RunGroup> groups) {
  Roles roles;
  if (groups.empty()) return roles;
  roles.lenet5 = first_of(groups, "lenet5", nullptr);
  roles.mlp = first_of(groups, "custom-mlp", roles.lenet5);
  if (roles.lenet5 != nullptr) roles.variants = variants_of(*roles.lenet5, groups);
  roles.reference = roles.lenet5 != nullptr ? roles.lenet5 : groups.data();
  compare_with_reference(roles, groups);
  return roles;
}

bool same_data(const RunGroup& a, const RunGroup& b) {
  return a.runs[0]->text({"data", "sha256"}) == b.runs[0]->text({"data", "sha256"});
}

}  // namespace digitron
