#include "host/report/run_group.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace digitron {

namespace {

using nlohmann::ordered_json;

using Traits = std::map<std::string, std::string>;

// Everything that two runs of one group have in common.
Traits traits_of(const RunRecord& run) {
  Traits traits;
  if (run.description.empty()) return {{"directory", run.directory.string()}};
  traits["model"] = run.text({"model", "text"}) + '\n' + run.model_name;
  traits["data"] = run.text({"data", "sha256"});
  traits["device"] = run.text({"device", "description"});
  traits["precision"] = run.text({"precision"});
  const ordered_json* settings = run.find({"settings"});
  if (settings == nullptr || !settings->is_object()) return traits;
  for (const auto& [name, value] : settings->items()) {
    if (!is_incidental(name)) traits["settings/" + name] = value_text(value);
  }
  return traits;
}

std::string trait(const Traits& traits, const std::string& name) {
  const auto entry = traits.find(name);
  return entry == traits.end() ? "" : entry->second;
}

// "lr 0.1, momentum none", "CPU, AVX-512, 2 threads": the named traits of one of the namesakes.
std::string distinction(const Traits& traits, const std::set<std::string>& differing) {
  constexpr std::string_view kSetting = "settings/";
  std::string text;
  for (const std::string& name : differing) {
    const std::string value = trait(traits, name);
    std::string part = value.empty() ? "no " + name : value;
    if (name == "data") part = "data " + value.substr(0, 8);
    if (name == "model") part = value.substr(0, value.find('\n'));
    if (name.starts_with(kSetting)) {
      part = name.substr(kSetting.size()) + ' ' + (value.empty() ? "not given" : value);
      std::replace(part.begin(), part.end(), '_', ' ');
    }
    if (!text.empty()) text += ", ";
    text += part;
  }
  return text;
}

// Namesakes get what they differ in added to their labels.
void set_labels(std::vector<RunGroup>& groups, const std::vector<Traits>& traits) {
  std::map<std::string, std::vector<size_t>> namesakes;
  for (size_t i = 0; i < groups.size(); ++i) {
    namesakes[groups[i].runs[0]->model_name].push_back(i);
  }
  for (const auto& [name, members] : namesakes) {
    std::set<std::string> names, differing;
    for (const size_t i : members) {
      for (const auto& [key, value] : traits[i]) names.insert(key);
    }
    for (const std::string& key : names) {
      std::set<std::string> values;
      for (const size_t i : members) values.insert(trait(traits[i], key));
      if (values.size() > 1) differing.insert(key);
    }
    for (const size_t i : members) {
      const bool says_what_it_is = !traits[i].contains("directory");
      const std::string more =
          distinction(traits[i], says_what_it_is ? differing : std::set<std::string>{"directory"});
      groups[i].label = name;
      if (members.size() > 1 && !more.empty()) groups[i].label += fmt::format(" ({})", more);
    }
  }
}

const EpochRecord* epoch_of(const RunRecord& run, int epoch) {
  const auto entry = std::find_if(run.epochs.begin(), run.epochs.end(),
                                  [&](const EpochRecord& record) { return record.epoch == epoch; });
  return entry == run.epochs.end() ? nullptr : &*entry;
}

// One figure of each run, where it has one.
template <class Figure>
std::optional<Statistics> over(const std::vector<const RunRecord*>& runs, Figure&& figure) {
  std::vector<double> values;
  for (const RunRecord* run : runs) {
    if (const std::optional<double> value = figure(*run)) values.push_back(*value);
  }
  return statistics(values);
}

std::vector<double> all_epochs(const RunRecord& run, Metric metric) {
  std::vector<double> values;
  for (const EpochRecord& record : run.epochs) {
    if (record.*metric) values.push_back(*(record.*metric));
  }
  return values;
}

// The runs that got as far as any of them did; those without any test figures when none has.
void find_complete(RunGroup& group) {
  for (const RunRecord* run : group.runs) {
    for (const EpochRecord& record : run->epochs) {
      if (record.test_accuracy) {
        group.last_epoch = std::max(group.last_epoch.value_or(0), record.epoch);
      }
    }
  }
  for (const RunRecord* run : group.runs) {
    const EpochRecord* last = group.last_epoch ? epoch_of(*run, *group.last_epoch) : nullptr;
    const bool there = last != nullptr && last->test_accuracy;
    if (there || !group.last_epoch) group.complete.push_back(run);
  }
}

}  // namespace

std::optional<Statistics> RunGroup::at_epoch(int epoch, Metric metric) const {
  return over(complete, [&](const RunRecord& run) -> std::optional<double> {
    const EpochRecord* record = epoch_of(run, epoch);
    return record == nullptr ? std::nullopt : record->*metric;
  });
}

std::optional<Statistics> RunGroup::final_figure(Metric metric) const {
  return last_epoch ? at_epoch(*last_epoch, metric) : std::nullopt;
}

std::optional<Statistics> RunGroup::best_test_accuracy() const {
  return over(complete, [](const RunRecord& run) -> std::optional<double> {
    const auto values = statistics(all_epochs(run, &EpochRecord::test_accuracy));
    return values ? std::optional(values->highest) : std::nullopt;
  });
}

std::optional<Statistics> RunGroup::training_seconds() const {
  return over(complete, [](const RunRecord& run) -> std::optional<double> {
    const std::vector<double> seconds = all_epochs(run, &EpochRecord::seconds);
    if (seconds.empty()) return std::nullopt;
    return std::accumulate(seconds.begin(), seconds.end(), 0.0);
  });
}

int RunGroup::epoch_count() const {
  int count = 0;
  for (const RunRecord* run : complete) {
    if (!run->epochs.empty()) count = std::max(count, run->epochs.back().epoch);
  }
  return count;
}

std::string RunGroup::seeds() const {
  std::string text;
  for (const RunRecord* run : runs) {
    const std::string seed = run->text({"settings", "seed"});
    text += (text.empty() ? "" : ", ") + (seed.empty() ? "unknown" : seed);
  }
  return text;
}

bool is_incidental(const std::string& setting) {
  return setting == "seed" || setting == "log_steps";
}

std::vector<RunGroup> group_runs(std::span<const RunRecord> runs) {
  std::vector<RunGroup> groups;
  std::vector<Traits> traits;
  for (const RunRecord& run : runs) {
    if (run.is_hollow()) continue;
    const Traits own = traits_of(run);
    const auto same = std::find(traits.begin(), traits.end(), own);
    const auto index = static_cast<size_t>(same - traits.begin());
    if (same == traits.end()) {
      traits.push_back(own);
      groups.emplace_back();
    }
    groups[index].runs.push_back(&run);
  }
  for (RunGroup& group : groups) find_complete(group);
  set_labels(groups, traits);
  return groups;
}

}  // namespace digitron
