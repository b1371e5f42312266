// nlohmann's JSON with its reader and writer compiled once, in json.cpp: in every file that parses
// or prints they take seconds.
#pragma once

#include <nlohmann/json.hpp>
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
