#include "host/report/run_part.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "host/report/figures.h"
#include "host/report/run_group.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;
using Rows = std::vector<std::pair<std::string, std::string>>;

std::string words(const ordered_json& list) {
  std::string text;
  for (const ordered_json& word : list) {
    if (!text.empty()) text += ' ';
    text += value_text(word);
  }
  return text;
}

// A line for each leaf: "data: sha256" and its value.
void add_facts(Rows& rows, const std::string& prefix, const ordered_json& object) {
  for (const auto& [key, value] : object.items()) {
    std::string name = prefix + key;
    std::replace(name.begin(), name.end(), '_', ' ');
    if (value.is_object()) {
      add_facts(rows, name + ": ", value);
    } else if (prefix.empty() && key == "command" && value.is_array()) {
      rows.emplace_back(name, words(value));
    } else {
      rows.emplace_back(name, value_text(value));
    }
  }
}

Rows facts_of(const RunRecord& run) {
  Rows rows;
  add_facts(rows, "", run.description);
  const auto seconds = RunGroup{"", {&run}, {&run}, {}}.training_seconds();
  if (seconds) rows.emplace_back("training in all", seconds_text(seconds));
  return rows;
}

bool contains(const Rows& rows, const Rows::value_type& row) {
  return std::find(rows.begin(), rows.end(), row) != rows.end();
}

// The first run's facts that all the others have too. A run that tells nothing does not count.
Rows common_facts(const std::vector<Rows>& facts) {
  std::vector<const Rows*> telling;
  for (const Rows& rows : facts) {
    if (!rows.empty()) telling.push_back(&rows);
  }
  Rows common;
  if (telling.size() < 2) return common;
  for (const auto& row : *telling[0]) {
    if (std::all_of(telling.begin(), telling.end(),
                    [&](const Rows* rows) { return contains(*rows, row); })) {
      common.push_back(row);
    }
  }
  return common;
}

}  // namespace

std::vector<DocumentBlock> run_blocks(std::span<const RunRecord> runs) {
  std::vector<Rows> facts;
  for (const RunRecord& run : runs) facts.push_back(facts_of(run));
  const Rows common = common_facts(facts);
  std::vector<DocumentBlock> blocks{Heading{2, "Runs"}};
  if (!common.empty()) {
    blocks.emplace_back(Heading{3, "The same in every run"});
    blocks.emplace_back(Facts{common});
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    blocks.emplace_back(Heading{3, runs[i].directory.string()});
    for (const std::string& problem : runs[i].problems) blocks.emplace_back(Notice{problem});
    Facts own;
    std::copy_if(facts[i].begin(), facts[i].end(), std::back_inserter(own.rows),
                 [&](const Rows::value_type& row) { return !contains(common, row); });
    if (!own.rows.empty()) blocks.emplace_back(std::move(own));
  }
  return blocks;
}

}  // namespace digitron
