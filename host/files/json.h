// nlohmann's JSON with its reader and writer compiled once, in json.cpp: in every file that parses
// or prints they take seconds.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace nlohmann::detail {

using StringInput = iterator_input_adapter<std::string::const_iterator>;

extern template class lexer<json, StringInput>;
extern template class lexer<ordered_json, StringInput>;
extern template class parser<json, StringInput>;
extern template class parser<ordered_json, StringInput>;
extern template class serializer<json>;
extern template class serializer<ordered_json>;

}  // namespace nlohmann::detail

namespace digitron {

// Text from outside: nothing when it is not a whole JSON object, or nests so deep that it could
// exhaust the stack. Json is nlohmann's json or ordered_json.
template <class Json>
std::optional<Json> parse_object(const std::string& text);

}  // namespace digitron
