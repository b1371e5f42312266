// What goes to standard output. Names and texts from files go with it, and a terminal obeys control
// characters.
#include <cstdio>

#include "host/text/text.h"
#include "tools/commands.h"

namespace digitron {

void print_text(std::string_view text) {
  const std::string shown = terminal_text(text);
  std::fwrite(shown.data(), 1, shown.size(), stdout);
}

// In ASCII, everything else escaped: JSON itself leaves U+007F to U+009F as they are. A name may be
// no UTF-8.
void print_json(const nlohmann::ordered_json& json) {
  print_text(json.dump(1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + '\n');
}

}  // namespace digitron
