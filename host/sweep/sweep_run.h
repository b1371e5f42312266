// One run of a sweep: the command that trains it, and what its directory already holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/files/run_record.h"
#include "host/sweep/sweep.h"

namespace digitron {

struct SweepRun {
  std::string name;  // "SETTING, seed N"
  size_t setting;
  uint64_t seed;
  std::vector<std::string> train;  // digitron train, with the options of all and of the setting
  std::filesystem::path directory;

  std::filesystem::path log() const { return directory / "log.txt"; }
};

// Each setting with each seed. Throws InputError for two settings of one name.
std::vector<SweepRun> plan_runs(const SweepRequest& request);

// The command that begins the run anew, or goes on where it was. `place`: options that say where it
// is trained; the one command is recognised by what is around them.
std::vector<std::string> begin_command(const SweepRun& run, const std::vector<std::string>& place);
std::vector<std::string> resume_command(const SweepRun& run, const std::vector<std::string>& place);

// The run's record when it has come to its end there under the same command, wherever it was
// trained. Throws MachineError when the disk does not give it.
std::optional<RunRecord> finished(const SweepRun& run);

// Whether a run of this command was saved there, for --resume.
bool can_resume(const SweepRun& run);

}  // namespace digitron
