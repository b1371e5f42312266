#include "host/files/json.h"

namespace nlohmann::detail {

template class lexer<json, StringInput>;
template class lexer<ordered_json, StringInput>;
template class parser<json, StringInput>;
template class parser<ordered_json, StringInput>;
template class serializer<json>;
template class serializer<ordered_json>;

}  // namespace nlohmann::detail

namespace digitron {

template <class Json>
std::optional<Json> parse_object(const std::string& text) {
  constexpr int kMostNesting = 32;
  bool too_deep = false;
  const auto limit = [&](int depth, typename Json::parse_event_t, Json&) {
    too_deep = too_deep || depth > kMostNesting;
    return depth <= kMostNesting;
  };
  Json value = Json::parse(text, limit, /*allow_exceptions=*/false);
  if (too_deep || !value.is_object()) return std::nullopt;
  return value;
}

template std::optional<nlohmann::json> parse_object(const std::string& text);
template std::optional<nlohmann::ordered_json> parse_object(const std::string& text);

}  // namespace digitron
