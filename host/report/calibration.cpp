#include "host/report/calibration.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "host/report/figures.h"
#include "host/report/vector_picture.h"

namespace digitron {

namespace {

// centre, accuracy, count
std::string bins_data(const Calibration& calibration) {
  std::string text = "$bins << EOD\n";
  for (size_t i = 0; i < calibration.size(); ++i) {
    const ConfidenceBin& bin = calibration[i];
    if (bin.count == 0) continue;
    text +=
        fmt::format("{} {} {}\n", (static_cast<double>(i) + 0.5) / kConfidenceBins,
                    static_cast<double>(bin.correct) / static_cast<double>(bin.count), bin.count);
  }
  return text + "EOD\n";
}

std::string diagram_script(const Calibration& calibration) {
  const std::string boxes = fmt::format(
      "with boxes fillstyle transparent solid 0.6 noborder linecolor rgb '{}'", palette_colour(0));
  return picture_setup(300, 330) + bins_data(calibration) +
         fmt::format(
             "unset key\nset multiplot\nset xrange [0:1]\nset xtics 0.2\nset boxwidth 0.9/{0}\n"
             "set lmargin at screen 0.22\nset rmargin at screen 0.96\n"
             "set tmargin at screen 0.98\nset bmargin at screen 0.73\nset format x ''\n"
             "set ylabel 'Images' textcolor rgb '{1}'\nset logscale y\nset yrange [0.5:*]\n"
             "set ytics (1,10,100,'1k' 1e3,'10k' 1e4,'100k' 1e5,'1M' 1e6)\nplot $bins using 1:3 "
             "{2}\n"
             "unset logscale y\nset tmargin at screen 0.67\nset bmargin at screen 0.18\n"
             "set format x '%g'\nset xlabel 'Confidence' offset 0,0.8 textcolor rgb '{1}'\n"
             "set ylabel 'Accuracy' textcolor rgb '{1}'\nset yrange [0:1]\nset ytics 0.2\n"
             "plot $bins using 1:2 {2}, x with lines linecolor rgb '{1}' dashtype (4,3)\n"
             "unset multiplot\n",
             kConfidenceBins, ink_colour(), boxes);
}

}  // namespace

void add_answer(Calibration& calibration, double confidence, bool correct) {
  const double bin = std::ceil(confidence * kConfidenceBins) - 1;
  const double last = kConfidenceBins - 1;
  ConfidenceBin& its = calibration[static_cast<size_t>(std::clamp(bin, 0.0, last))];
  ++its.count;
  its.correct += correct ? 1 : 0;
  its.confidence += confidence;
}

double expected_calibration_error(const Calibration& calibration) {
  double sum = 0;
  int64_t count = 0;
  for (const ConfidenceBin& bin : calibration) {
    sum += std::abs(static_cast<double>(bin.correct) - bin.confidence);
    count += bin.count;
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

Picture reliability_diagram(const Calibration& calibration) {
  return {vector_picture(diagram_script(calibration), "reliability"),
          fmt::format("Right answers by confidence; on the dashed line the two agree. Expected "
                      "calibration error, {} bins (Guo et al., 2017): {}.",
                      kConfidenceBins, percent(expected_calibration_error(calibration)))};
}

}  // namespace digitron
