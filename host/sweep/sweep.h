// One model under several settings, each with several seeds: which of them help?
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "host/text/significance.h"

namespace digitron {

struct SweepSetting {
  std::string name;
  std::vector<std::string> options;  // for `digitron train`
};

// Splits at blanks, but not inside quotes, as a shell does. Throws InputError for an open quote.
std::vector<std::string> split_words(const std::string& text);

// "NAME" or "NAME: OPTION...". Throws InputError.
SweepSetting parse_setting(const std::string& text);

// "1-5" or "1,2,7" or both. Throws InputError.
std::vector<uint64_t> parse_seeds(const std::string& text);

struct SweepRequest {
  std::vector<std::string> command;  // argv, for sweep.json
  std::filesystem::path program;     // digitron itself
  std::vector<std::string> common;   // options of every run, before a setting's own
  std::vector<SweepSetting> settings;
  std::vector<uint64_t> seeds;
  std::filesystem::path out;         // OUT/NAME/seed-N for each run
  int jobs = 1;                      // runs side by side
  std::vector<std::string> devices;  // the runs go round them; empty: each finds its own
  std::vector<std::string> launch;   // words before each run's command, the first a program's path
  int retries = 0;                   // further attempts at a run that the machine let fail
};

// The finished runs of a setting.
struct SweepResult {
  std::string name;
  std::vector<std::string> options;
  std::vector<uint64_t> seeds;        // one a run
  std::vector<double> test_accuracy;  // fractions, in the seeds' order
  std::vector<double> validation;     // accuracy on the validation set; empty without one
  Significance significance;          // against the first setting
};

struct SweepFailure {
  std::string run;  // "SETTING, seed N"
  int exit_code;
  std::string reason;  // the last line that it printed
  std::filesystem::path log;

  bool is_of_input() const;  // its options are to blame: it would fail again
  std::string text() const;
};

struct SweepReport {
  std::vector<SweepResult> settings;
  std::vector<SweepFailure> failures;
  bool interrupted = false;
};

// Runs what is missing, one line in the log a run: what has come to its end under the same command
// is kept, and what was saved under it goes on from there. Several runs side by side have one
// thread each, but for those behind a launcher. Throws InputError for two settings of one name,
// MachineError when nothing can be started.
SweepReport run_sweep(const SweepRequest& request, const std::atomic<bool>& stop);

// Throws what ended the first run that failed because of its options, as InputError, or of the
// others as MachineError. Nothing when no run failed.
void throw_failure(const SweepReport& report);

// The table for a terminal, for Markdown, and everything as JSON.
std::string sweep_table(const SweepReport& report);
std::string sweep_markdown(const SweepReport& report);
nlohmann::ordered_json sweep_json(const SweepRequest& request, const SweepReport& report);

}  // namespace digitron
