// run.json: what a run that begins writes there, and what --resume makes of it.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "host/core/dataset.h"
#include "host/files/run_lock.h"
#include "host/files/run_state.h"
#include "host/train/session.h"

namespace digitron {

// The engine, what the request asked for, and make_engine's `fallback`.
nlohmann::ordered_json device_description(const DeviceRequest& request, const Engine& engine,
                                          const std::string& fallback);
nlohmann::ordered_json run_description(const SessionRequest& request, const TrainSettings& settings,
                                       const Engine& engine, const std::string& fallback,
                                       const Data& data);

// The lock of a run that --resume continues. Throws InputError when there is no run.json, and as
// RunLock does.
RunLock lock_run(const std::filesystem::path& directory);

// The run.json that `option` names, itself or by its directory. Throws InputError when it is
// missing or damaged.
nlohmann::ordered_json read_description(const std::filesystem::path& run,
                                        const std::string& option);

// The run's settings, with those of `given` (as in run.json) when `force` says that they count.
// Without it, throws InputError naming the first that differs and both values.
TrainSettings resumed_settings(const nlohmann::ordered_json& run,
                               const nlohmann::ordered_json& given, bool force);

// The way through a step on a GPU that the run goes on with: `asked`, which for kAuto means the way
// that the run took last; kAuto where none is known. Without `force`, throws InputError when
// another is asked for.
StepKind resumed_step(const nlohmann::ordered_json& run, StepKind asked, bool force);

// Throws InputError when the state is of another run, by its id; older files name none.
void check_same_run(const nlohmann::ordered_json& run, const std::string& state_id);

// Throws InputError when a run with run.json's settings, of so many training images, cannot stand
// where the state says.
void check_state_fits(const nlohmann::ordered_json& run, const RunState& state, int train_count);

// Throws InputError when the run has `step` steps of an epoch done, and `settings` would divide the
// epoch into other steps than the run's.
void check_step_fits(const nlohmann::ordered_json& run, const TrainSettings& settings, int step);

// The run's model. Throws InputError when `asked` (a name or text; empty: the run's) is another.
Model resumed_model(const nlohmann::ordered_json& run, const std::string& asked);

// Throws InputError when the data is not what the run was trained on.
void check_same_data(const nlohmann::ordered_json& run, const Data& data);

// run.json of the resumed run: the settings that count from now on, and one more entry in
// "resumed": when, at which step, by which command line.
nlohmann::ordered_json resumed_run(nlohmann::ordered_json run, const TrainSettings& settings,
                                   const std::vector<std::string>& command, int epoch, int step);

}  // namespace digitron
