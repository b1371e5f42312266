// A report's figures as text: the mean of several runs with the lowest and the highest behind it.
#pragma once

#include <optional>
#include <string>

#include "host/report/run_group.h"

namespace digitron {

inline constexpr const char* kNoFigure = "\u2013";

// 0.98971 -> "98.97%". With several runs "98.94% (98.90 to 98.97)".
std::string percent_text(const std::optional<Statistics>& fraction);
// "0.0343"; "0.0350 (0.0340 to 0.0360)".
std::string loss_text(const std::optional<Statistics>& loss);
// "17.5 s".
std::string seconds_text(const std::optional<Statistics>& seconds);
// "34,674".
std::string rate_text(const std::optional<Statistics>& rate);

std::string percent(double fraction);  // "98.97%"

// "1 run", "3 runs".
std::string counted(size_t count, const std::string& noun);

}  // namespace digitron
