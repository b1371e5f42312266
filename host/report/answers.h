// The assignment's questions, each answered in one sentence made from the runs' figures. What they
// do not say is not claimed: an answer then says what is missing.
#pragma once

#include <span>
#include <string>

#include "host/report/roles.h"
#include "host/report/sweep_record.h"

namespace digitron {

// How many parameters do the networks have?
std::string parameters_answer(std::span<const RunGroup> groups);

// How do loss and accuracy develop?
std::string curves_answer(std::span<const RunGroup> groups);

// How good is LeNet-5, and is it better than the MLP?
std::string accuracy_answer(const Roles& roles);

// Does regularisation improve LeNet-5? By the runs; by a sweep.
std::string regularisation_answer(const Roles& roles);
std::string sweep_answer(const SweepRecord& sweep);

}  // namespace digitron
