#include "host/text/nearest.h"

#include <algorithm>
#include <numeric>

namespace digitron {

namespace {

// Row i, column j: of the first i characters of a and the first j of b.
size_t slips(std::string_view a, std::string_view b) {
  std::vector<size_t> two_above, above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t wrong = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + wrong});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], two_above[j - 2] + 1);
    }
    two_above = above;
    above = row;
  }
  return above.back();
}

}  // namespace

std::string nearest(std::string_view typed, const std::vector<std::string>& words) {
  constexpr size_t kLongest = 64;  // a path or a text is no slip, and would take long
  if (typed.size() > kLongest) return "";
  std::string best;
  size_t least = (typed.size() + 1) / 2;
  for (const std::string& word : words) {
    const size_t count = slips(typed, word);
    if (count >= least) continue;
    least = count;
    best = word;
  }
  return best;
}

std::string did_you_mean(std::string_view typed, const std::vector<std::string>& words) {
  const std::string word = nearest(typed, words);
  return word.empty() ? "" : " (did you mean " + word + "?)";
}

}  // namespace digitron
