// One model under several settings, each with several seeds: which of them help?
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/sweep/welch.h"

namespace digitron {

struct SweepSetting {
  std::string name;
  std::vector<std::string> options;  // of `digitron train`
};

// Words between blanks, quotes around blanks, as in a shell. Throws InputError for an open quote.
std::vector<std::string> split_words(const std::string& text);

// "NAME" or "NAME: OPTION...". Throws InputError.
SweepSetting parse_setting(const std::string& text);

// "1-5" or "1,2,7" or both. Throws InputError.
std::vector<uint64_t> parse_seeds(const std::string& text);

struct SweepRequest {
  std::vector<std::string> command;  // argv, for the record
  std::filesystem::path program;     // that has the command `train`
  std::vector<std::string> common;   // options of every run, before a setting's own
  std::vector<SweepSetting> settings;
  std::vector<uint64_t> seeds;
  std::filesystem::path out;  // OUT/NAME/seed-N for each run
  int jobs = 1;               // runs side by side, with one thread each where they are several
};

// A setting's runs that came to their end.
struct SweepResult {
  std::string name;
  std::vector<std::string> options;
  std::vector<uint64_t> seeds;        // of these runs
  std::vector<double> test_accuracy;  // fractions, in the seeds' order
  std::vector<double> validation;     // the same on the validation set; empty without one
  std::optional<double> p;            // Welch's, against the first setting
};

struct SweepReport {
  std::vector<SweepResult> settings;
  std::vector<std::string> failures;  // one line a run that did not come to its end
  bool interrupted = false;
};

// Runs what is missing (a run that has come to its end under the same command is kept), one line in
// the log a run. Throws InputError for two settings of one name, MachineError when nothing can be
// started.
SweepReport run_sweep(const SweepRequest& request, const std::atomic<bool>& stop);

// The table for a terminal, for Markdown, and everything as JSON.
std::string sweep_table(const SweepReport& report);
std::string sweep_markdown(const SweepReport& report);
nlohmann::ordered_json sweep_json(const SweepRequest& request, const SweepReport& report);

}  // namespace digitron
