// Parts of the report's sentences.
#pragma once

#include <optional>
#include <string>

#include "host/report/roles.h"

namespace digitron {

// "p = 0.012", "p < 0.0001".
std::string p_phrase(double p);

// "0.07": the sample's standard deviation in percent; kNoFigure for one value.
std::string deviation_text(const std::optional<Statistics>& fraction);

// "+0.18", in points of a percent.
std::string points_text(double fraction);

// The test images that a group got wrong in the mean, of how many; nothing where run.json does not
// say how many there are, or no run was tested.
struct Errors {
  double mean;
  int64_t images;
};
std::optional<Errors> errors_of(const RunGroup& group);

// "means of 3 seeds; p = 0.0012", "one seed each: no spread, no test".
std::string evidence_text(const RunGroup& a, const RunGroup& b, const Significance& significance);

// "LeNet-5 makes 98 errors in 10,000 where Custom MLP makes 236": in percent where it is not known
// how many images there are. Both have been tested.
std::string errors_sentence(const std::string& a_name, const RunGroup& a, const RunGroup& b);

}  // namespace digitron
