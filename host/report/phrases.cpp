#include "host/report/phrases.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "host/files/json.h"
#include "host/report/figures.h"
#include "host/text/table.h"

namespace digitron {

namespace {

std::string seed_count_text(size_t a, size_t b) {
  if (a == 1 && b == 1) return "one seed each: no spread, no test";
  const std::string counts =
      a == b ? counted(a, "seed") : fmt::format("{} against {}", a, counted(b, "seed"));
  return "means of " + counts;
}

}  // namespace

std::string p_phrase(double p) {
  const std::string text = p_text(p);
  return text.starts_with('<') ? "p " + text : fmt::format("p = {:.2g}", p);
}

std::string deviation_text(const std::optional<Statistics>& fraction) {
  if (!fraction || fraction->count < 2) return kNoFigure;
  return fmt::format("{:.2f}", 100 * fraction->deviation);
}

std::string points_text(double fraction) {
  return fmt::format("{:+.2f}", 100 * fraction);
}

std::optional<Errors> errors_of(const RunGroup& group) {
  const auto accuracy = group.final_figure(&EpochRecord::test_accuracy);
  const nlohmann::ordered_json* images = group.runs[0]->find({"data", "test_images"});
  if (!accuracy || images == nullptr || !images->is_number_integer()) return std::nullopt;
  const auto count = images->get<int64_t>();
  if (count <= 0) return std::nullopt;
  return Errors{(1 - accuracy->mean) * static_cast<double>(count), count};
}

std::string evidence_text(const RunGroup& a, const RunGroup& b, const Significance& significance) {
  const std::string seeds = seed_count_text(a.complete.size(), b.complete.size());
  if (significance.p) return seeds + "; " + p_phrase(*significance.p);
  if (!same_data(a, b)) return seeds + "; on other data: not to be compared";
  const bool one_each = a.complete.size() == 1 && b.complete.size() == 1;
  return one_each ? seeds : seeds + "; no test";
}

std::string errors_sentence(const std::string& a_name, const RunGroup& a, const RunGroup& b) {
  const std::optional<Errors> of_a = errors_of(a);
  const std::optional<Errors> of_b = errors_of(b);
  if (of_a && of_b && of_a->images == of_b->images) {
    return fmt::format("{} makes {:.0f} errors in {} where {} makes {:.0f}", a_name, of_a->mean,
                       grouped(of_a->images), b.label, of_b->mean);
  }
  const double accuracy_a = a.final_figure(&EpochRecord::test_accuracy)->mean;
  const double accuracy_b = b.final_figure(&EpochRecord::test_accuracy)->mean;
  return fmt::format("{} recognises {} of the test images where {} recognises {}", a_name,
                     percent(accuracy_a), b.label, percent(accuracy_b));
}

}  // namespace digitron
