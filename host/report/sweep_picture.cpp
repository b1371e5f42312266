#include "host/report/sweep_picture.h"

#include <spdlog/fmt/fmt.h>

#include "host/report/axes.h"
#include "host/report/vector_picture.h"
#include "host/text/text.h"

namespace digitron {

namespace {

// One colour's points and bars; `reference` is the last column of the data.
std::string bars_of(int reference, const std::string& colour) {
  return fmt::format(
      "$sweep using ($5=={}?$1:NaN):2:3:4 with xerrorbars linecolor rgb '{}' linewidth 2 pointtype "
      "7 pointsize 0.7 notitle",
      reference, colour);
}

}  // namespace

std::string sweep_script(const SweepRecord& sweep) {
  constexpr int kWidth = 440, kRowHeight = 21, kFrame = 66;  // legible on a phone
  constexpr size_t kMostName = 26;
  const std::vector<const SweepRow*> rows = sweep.by_mean();
  std::string script = picture_setup(kWidth, kFrame + kRowHeight * static_cast<int>(rows.size()));
  constexpr int kSteps = 4;  // whose numbers have room beside each other
  std::string tics, data;
  ValueRange shown;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Statistics& accuracy = *rows[i]->accuracy;
    const double margin = mean_margin(accuracy).value_or(0);
    shown.add(100 * (accuracy.mean - margin));
    shown.add(100 * (accuracy.mean + margin));
    const bool is_reference = rows[i] == sweep.reference();
    tics += fmt::format("{}{} {}", i > 0 ? "," : "",
                        gnuplot_text(shortened(rows[i]->name, kMostName)), i);
    data += fmt::format("{} {} {} {} {}\n", 100 * accuracy.mean, i, 100 * (accuracy.mean - margin),
                        100 * (accuracy.mean + margin), is_reference ? 1 : 0);
  }
  script += fmt::format(
      "set xlabel 'Test accuracy (%)' textcolor rgb '{0}'\nset yrange [{1}:-0.5]\n"
      "set ytics ({2})\nset bars 0.5\n$sweep << EOD\n{3}EOD\n",
      ink_colour(), static_cast<double>(rows.size()) - 0.5, tics, data);
  script += linear_axis(shown, 'x', kSteps);
  if (const SweepRow* reference = sweep.reference()) {
    const double mean = 100 * reference->accuracy->mean;
    script +=
        fmt::format("set arrow from {0}, graph 0 to {0}, graph 1 nohead linecolor rgb '{1}'\n",
                    mean, palette_colour(1));
  }
  return script + "plot " + bars_of(0, palette_colour(0)) + ", " + bars_of(1, palette_colour(1)) +
         '\n';
}

Picture sweep_picture(const SweepRecord& sweep) {
  return {vector_picture(sweep_script(sweep), "sweep"),
          "Mean test accuracy of each setting, with Student\u2019s 95% interval of the mean where "
          "there are several seeds; the reference in orange, with a line at its mean."};
}

}  // namespace digitron
