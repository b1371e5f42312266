#include "host/report/figures.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "host/text/table.h"

namespace digitron {

namespace {

std::string fixed(double value, int digits) {
  constexpr double kMost = 1e9;  // a damaged figure is no reason for a line of three hundred digits
  if (!(std::abs(value) < kMost)) return fmt::format("{:.3e}", value);
  return fmt::format("{:.{}f}", value, digits);
}

}  // namespace

std::string percent_text(const std::optional<Statistics>& fraction) {
  return fraction ? percent(fraction->mean) : kNoFigure;
}

std::string percent_range_text(const std::optional<Statistics>& fraction) {
  if (!fraction || fraction->count < 2) return kNoFigure;
  return fixed(100 * fraction->lowest, 2) + " to " + fixed(100 * fraction->highest, 2);
}

std::string loss_text(const std::optional<Statistics>& loss) {
  return loss ? fixed(loss->mean, 4) : kNoFigure;
}

std::string seconds_text(const std::optional<Statistics>& seconds) {
  return seconds ? fixed(seconds->mean, seconds->mean < 10 ? 2 : 1) + " s" : kNoFigure;
}

std::string rate_text(const std::optional<Statistics>& rate) {
  constexpr double kMost = 1e15;  // of what can be meant, and of what llround takes
  if (!rate || !(std::abs(rate->mean) < kMost)) return kNoFigure;
  return grouped(std::llround(rate->mean));
}

std::string percent(double fraction) {
  return fixed(100 * fraction, 2) + "%";
}

std::string counted(size_t count, const std::string& noun) {
  return grouped(static_cast<int64_t>(count)) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace digitron
