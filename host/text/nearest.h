// What a mistyped word was meant to be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace digitron {

// The one of `words` that takes the fewest slips to become `typed`: a letter too many, too few, a
// wrong one, or two neighbours swapped (the distance of Damerau and Levenshtein, no letter twice).
// Empty where that takes a slip for every second letter, and so is a guess.
std::string nearest(std::string_view typed, const std::vector<std::string>& words);

// " (did you mean WORD?)" of the nearest one; empty where there is none.
std::string did_you_mean(std::string_view typed, const std::vector<std::string>& words);

}  // namespace digitron
