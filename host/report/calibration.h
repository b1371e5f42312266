// Whether a model is right as often as it is sure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "host/report/document.h"

namespace digitron {

// Answers by their confidence, the largest probability, in equal bins: the first from 0 to 1/15
// inclusive, the last above 14/15.
struct ConfidenceBin {
  int64_t count = 0;
  int64_t correct = 0;
  double confidence = 0;  // the sum
};
inline constexpr size_t kConfidenceBins = 15;
using Calibration = std::array<ConfidenceBin, kConfidenceBins>;

// `confidence` from 0 to 1.
void add_answer(Calibration& calibration, double confidence, bool correct);

// The expected calibration error, ECE, a fraction: the distance between a bin's accuracy and its
// mean confidence, averaged over all answers (Guo, Pleiss, Sun and Weinberger, "On calibration of
// modern neural networks", 2017). 0 without answers.
double expected_calibration_error(const Calibration& calibration);

// Each bin's accuracy over its confidence, with how many answers it has. Throws MachineError as
// run_gnuplot does.
Picture reliability_diagram(const Calibration& calibration);

}  // namespace digitron
