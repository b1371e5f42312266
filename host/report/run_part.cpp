#include "host/report/run_part.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "host/report/figures.h"
#include "host/report/run_group.h"
#include "host/text/text.h"
#include "host/train/settings_json.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;
using Rows = std::vector<std::pair<std::string, std::string>>;

// As a shell takes it: in apostrophes where it would take something else.
std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
      "-_./,:=+%@";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  return "'" + replaced(word, "'", "'\\''") + "'";
}

std::string words(const ordered_json& list) {
  std::string text;
  for (const ordered_json& word : list) {
    if (!text.empty()) text += ' ';
    text += shell_word(value_text(word));
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

std::string or_none(const std::string& text) {
  return text.empty() ? kNoFigure : text;
}

Table run_table(std::span<const RunRecord> runs) {
  Table table{
      "Training: seconds of all training passes, without evaluation.", "lrrll", {}, false, {}};
  table.rows = {{"Run", "Seed", "Training", "Device", "Command"}};
  for (const RunRecord& run : runs) {
    const ordered_json* command = run.find({"command"});
    const bool known = command != nullptr && command->is_array();
    table.rows.push_back({run.directory.string(), or_none(run.text({"settings", "seed"})),
                          seconds_text(RunGroup{"", {&run}, {&run}, {}}.training_seconds()),
                          or_none(run.text({"device", "description"})),
                          known ? words(*command) : kNoFigure});
  }
  return table;
}

// "epochs 3, label smoothing 0.05": the seed stands elsewhere.
std::string changed_settings(const RunRecord& run) {
  std::string text;
  const ordered_json* settings = run.find({"settings"});
  if (settings == nullptr || !settings->is_object()) return kNoFigure;
  const ordered_json defaults = settings_json({});
  for (const auto& [name, value] : settings->items()) {
    const auto usual = defaults.find(name);
    if (name == "seed" || usual == defaults.end() || *usual == value) continue;
    text += (text.empty() ? "" : ", ") + replaced(name, "_", " ") + ' ' + value_text(value);
  }
  return text.empty() ? "none" : text;
}

// Runs of one group have the same.
Facts changed_settings_of_groups(std::span<const RunRecord> runs) {
  Facts facts;
  for (const RunGroup& group : group_runs(runs)) {
    facts.rows.emplace_back(group.label, changed_settings(*group.runs[0]));
  }
  return facts;
}

// What not all of the runs have, under the name of each.
std::vector<DocumentBlock> own_facts(std::span<const RunRecord> runs,
                                     const std::vector<Rows>& facts, const Rows& common) {
  std::vector<DocumentBlock> blocks;
  for (size_t i = 0; i < runs.size(); ++i) {
    Facts own;
    std::copy_if(facts[i].begin(), facts[i].end(), std::back_inserter(own.rows),
                 [&](const Rows::value_type& row) { return !contains(common, row); });
    if (own.rows.empty()) continue;
    blocks.emplace_back(Heading{3, runs[i].directory.string()});
    blocks.emplace_back(std::move(own));
  }
  return blocks;
}

}  // namespace

std::vector<DocumentBlock> run_blocks(std::span<const RunRecord> runs) {
  std::vector<Rows> facts;
  for (const RunRecord& run : runs) facts.push_back(facts_of(run));
  const Rows common = common_facts(facts);
  std::vector<DocumentBlock> blocks{Heading{2, "Runs"}};
  for (const RunRecord& run : runs) {
    for (const std::string& problem : run.problems) {
      blocks.emplace_back(Notice{run.directory.string() + ": " + problem});
    }
  }
  blocks.emplace_back(run_table(runs));
  Facts changed = changed_settings_of_groups(runs);
  if (!changed.rows.empty()) {
    blocks.emplace_back(Heading{3, "Settings that are not the defaults"});
    blocks.emplace_back(std::move(changed));
  }
  if (!common.empty()) {
    blocks.emplace_back(Folded{"What run.json says of every run", {Facts{common}}});
  }
  std::vector<DocumentBlock> own = own_facts(runs, facts, common);
  if (!own.empty()) blocks.emplace_back(Folded{"What run.json says of each run", std::move(own)});
  return blocks;
}

}  // namespace digitron
