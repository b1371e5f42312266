// In words: how a network and its training differ from another's.
#pragma once

#include <string>
#include <vector>

#include "host/core/plan.h"
#include "host/files/json.h"
#include "host/files/run_record.h"

namespace digitron {

// Whether the networks are the same but for batch normalisation and dropout.
bool same_but_regularised(const Plan& a, const Plan& b);

// "batch normalisation after each convolution", "dropout 0.5 after fc1 and fc2", "5 views": where
// `to` has others than `from`. Requires same_but_regularised.
std::vector<std::string> layer_changes(const Plan& from, const Plan& to);

// "weight decay 0.0005", "lr 0.05 instead of 0.01", of the settings of run.json; the seed and what
// changes no result are left out.
std::vector<std::string> setting_changes(const nlohmann::ordered_json& from,
                                         const nlohmann::ordered_json& to);

// Both, of two runs whose networks are the same_but_regularised; "nothing" where they differ in
// neither.
std::string changes_text(const RunRecord& from, const RunRecord& to);

// What options of `digitron train` say, for a model like `from`: "schedule one-cycle, lr 0.05",
// or the layer_changes of a --model.
std::string option_text(const Plan& from, const std::vector<std::string>& options);

// "a", "a and b", "a, b and c".
std::string listed(const std::vector<std::string>& items);

}  // namespace digitron
