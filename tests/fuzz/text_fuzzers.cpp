// What the user writes, and what pages and messages make of it.
#include <vector>

#include "host/core/plan.h"
#include "host/sweep/sweep.h"
#include "host/text/inspect.h"
#include "host/text/text.h"
#include "host/train/step_capture.h"
#include "tests/fuzz/fuzzers.h"
#include "tools/command_line.h"

namespace digitron::testing {

void fuzz_model(std::string_view bytes) {
  const Model model = find_model(bytes);
  require(parse_model(to_text(model)).layers == model.layers, "the text is of another model");
  plan_table(make_plan(model, 64));
}

void fuzz_text(std::string_view bytes) {
  const std::string valid = valid_utf8(bytes);
  require(valid_utf8(valid) == valid, "what was made valid is not");
  const std::string line = one_line(bytes);
  require(line.find_first_of("\r\n") == std::string::npos, "one line is several");
  require(html_text(bytes).find_first_of("<>\"'") == std::string::npos, "not safe for a page");
  require(gnuplot_text(bytes).find('\'', 1) == gnuplot_text(bytes).size() - 1, "an open quote");
  markdown_text(bytes);
  shortened(bytes, 5);
  slug(bytes, 5);
  base64(bytes);
  const std::string text(bytes);
  may_refuse([&] { parse_setting(text); });
  may_refuse([&] { parse_seeds(text); });
  may_refuse([&] { parse_step_range("--steps", text); });
  may_refuse([&] { step_kind(text); });
}

// Reads it, and runs nothing.
void fuzz_command_line(std::string_view bytes) {
  std::vector<std::string> words{"digitron"};
  for (const char c : bytes) {
    if (c == '\n') {
      words.emplace_back();
    } else if (c != '\0') {
      words.back() += c;
    }
  }
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  parse_command_line(static_cast<int>(argv.size()), argv.data());
}

}  // namespace digitron::testing
