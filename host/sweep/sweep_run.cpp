#include "host/sweep/sweep_run.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>
#include <span>

#include "host/core/error.h"
#include "host/files/json.h"
#include "host/files/run_directory.h"
#include "host/text/text.h"

namespace digitron {

namespace {

constexpr size_t kMostSlug = 60;

using Command = std::vector<std::string>;

Command joined(std::initializer_list<Command> parts) {
  Command command;
  for (const Command& part : parts) command.insert(command.end(), part.begin(), part.end());
  return command;
}

// What begin_command puts behind the place.
Command target(const SweepRun& run) {
  return {"--seed", std::to_string(run.seed), "--out", run.directory.string(),
          "--overwrite"};  // what is there cannot be continued
}

// [--threads 1] [--device NAME]
bool is_place(std::span<const std::string> words) {
  if (words.size() >= 2 && words[0] == "--threads" && words[1] == "1") words = words.subspan(2);
  return words.empty() || (words.size() == 2 && words[0] == "--device");
}

// Whether run.json tells of this run: neither threads nor device say what is trained.
bool is_of(const SweepRun& run, const RunRecord& record) {
  const nlohmann::ordered_json* json = record.find({"command"});
  if (!json || !json->is_array()) return false;
  Command words;
  for (const nlohmann::ordered_json& word : *json) words.push_back(value_text(word));
  const Command end = target(run);
  const size_t around = run.train.size() + end.size();
  if (words.size() < around) return false;
  return std::equal(run.train.begin(), run.train.end(), words.begin()) &&
         std::equal(end.rbegin(), end.rend(), words.rbegin()) &&
         is_place(std::span(words).subspan(run.train.size(), words.size() - around));
}

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

std::vector<SweepRun> plan_runs(const SweepRequest& request) {
  std::vector<SweepRun> runs;
  std::set<std::string> slugs;
  for (size_t i = 0; i < request.settings.size(); ++i) {
    const SweepSetting& setting = request.settings[i];
    const std::string folder = slug(setting.name, kMostSlug);
    if (folder.empty() || !slugs.insert(folder).second) {
      throw InputError("two settings with the name '" + setting.name +
                       "', or none; give each a name of its own");
    }
    const Command train =
        joined({{request.program.string(), "train"}, request.common, setting.options});
    for (const uint64_t seed : request.seeds) {
      runs.push_back({fmt::format("{}, seed {}", setting.name, seed), i, seed, train,
                      request.out / folder / fmt::format("seed-{}", seed)});
    }
  }
  return runs;
}

Command begin_command(const SweepRun& run, const Command& place) {
  return joined({run.train, place, target(run)});
}

Command resume_command(const SweepRun& run, const Command& place) {
  return joined(
      {run.train, place, {"--seed", std::to_string(run.seed), "--resume", run.directory.string()}});
}

std::optional<RunRecord> finished(const SweepRun& run) {
  if (!is_there(run.directory / "model.safetensors")) return std::nullopt;
  RunRecord record = read_run(run.directory);
  if (!is_of(run, record) || !record.has_ended()) return std::nullopt;
  return record;
}

bool can_resume(const SweepRun& run) {
  return is_there(state_path(run.directory)) && is_of(run, read_run(run.directory));
}

}  // namespace digitron
