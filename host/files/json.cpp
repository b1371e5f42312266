#include "host/files/json.h"

namespace nlohmann::detail {

template class lexer<json, StringInput>;
template class lexer<ordered_json, StringInput>;
template class parser<json, StringInput>;
template class parser<ordered_json, StringInput>;
template class serializer<json>;
template class serializer<ordered_json>;

}  // namespace nlohmann::detail
