#include "host/bench/bench_notes.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace digitron {

namespace {

// Where the text stands, at the end if it is new.
size_t place_of(std::vector<std::string>& texts, const std::string& text) {
  const auto at = std::find(texts.begin(), texts.end(), text);
  const auto place = static_cast<size_t>(at - texts.begin());
  if (at == texts.end()) texts.push_back(text);
  return place;
}

// What holds for some of a row's repeats: "repeats 1 and 3 of 5: text".
std::string of_repeats(const std::string& text, const std::vector<size_t>& which, size_t count) {
  if (count == 1) return text;
  if (which.size() == count) return fmt::format("all {} repeats: {}", count, text);
  std::string numbers;
  for (const size_t each : which)
    numbers += (numbers.empty() ? "" : ", ") + std::to_string(each + 1);
  return fmt::format("repeat{} {} of {}: {}", which.size() > 1 ? "s" : "", numbers, count, text);
}

}  // namespace

std::vector<std::string> objections(const BenchRow& row) {
  std::vector<std::string> texts;
  std::vector<std::vector<size_t>> repeats;  // that each is of
  std::vector<std::string> values;           // what these reached instead, of a missed criterion
  const auto add = [&](const std::string& text, size_t repeat, const std::string& value) {
    const size_t place = place_of(texts, text);
    repeats.resize(texts.size());
    values.resize(texts.size());
    repeats[place].push_back(repeat);
    values[place] += (values[place].empty() ? "" : ", ") + value;
  };
  for (size_t i = 0; i < row.repeats.size(); ++i) {
    for (const std::string& warning : row.repeats[i].warnings()) add(warning, i, "");
    const std::string& missed = row.repeats[i].samples.missed;
    const size_t colon = missed.rfind(": ");
    if (colon == std::string::npos) continue;
    add("timed out short of " + missed.substr(0, colon), i, missed.substr(colon + 2));
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string text = values[i].empty() ? texts[i] : texts[i] + ", at " + values[i];
    texts[i] = of_repeats(text, repeats[i], row.repeats.size());
  }
  return texts;
}

std::string BenchNotes::mark(const BenchRow& row) {
  std::string mark;
  for (const std::string& text : objections(row)) {
    mark += (mark.empty() ? "! " : " ") + std::to_string(place_of(texts_, text) + 1);
  }
  return mark;
}

}  // namespace digitron
