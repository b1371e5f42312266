// A report's figures as text; kNoFigure where there is none.
#pragma once

#include <optional>
#include <string>

#include "host/report/run_group.h"

namespace digitron {

inline constexpr const char* kNoFigure = "\u2013";

// The mean, "98.97%".
std::string percent_text(const std::optional<Statistics>& fraction);
// "98.94 to 99.02" percent; kNoFigure for less than two values.
std::string percent_range_text(const std::optional<Statistics>& fraction);
std::string loss_text(const std::optional<Statistics>& loss);        // "0.0343"
std::string seconds_text(const std::optional<Statistics>& seconds);  // "17.5 s"
std::string rate_text(const std::optional<Statistics>& rate);        // "34,674"

std::string percent(double fraction);  // "98.97%"

// "1 run", "3 runs".
std::string counted(size_t count, const std::string& noun);

}  // namespace digitron
