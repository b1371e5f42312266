// Where the time of a training step goes: by layer and direction, with what is left over.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "host/core/engine.h"

namespace digitron {

struct Breakdown {
  Profile profile;
  double plain_step_seconds = 0;  // of a step that nobody profiles, the same way as for a profile

  bool in_seconds() const { return profile.unit == "seconds"; }
  double sum() const;  // of the phases, in the profile's unit
  // A phase's part of the whole step; of the sum, where the unit is no seconds.
  double share(const Phase& phase) const;
};

// Trains, profiled and not, `steps` steps at a time, or an epoch's whole batches if these are
// fewer; the engine holds a training set of train_count images, at least one batch, and initial
// parameters. Throws InputError for less than one step, and for an engine that times no phases.
Breakdown measure_breakdown(Engine& engine, int train_count, int steps);

// A heading and one row a phase: name, direction, time, share, time of the slowest thread. Under
// them the sum, the whole step and their ratio, and what an unprofiled step takes.
std::string breakdown_table(const Breakdown& breakdown);

// {"unit": "seconds", or the "clocks" that an engine counts, "step_seconds",
// "unprofiled_step_seconds", "sum", "phases": [{"layer": "conv1", "direction": "forward", "time",
// "slowest", "share"}, …] in a step's order}
nlohmann::ordered_json breakdown_json(const Breakdown& breakdown);

// From what breakdown_json wrote.
Breakdown breakdown_from_json(const nlohmann::ordered_json& json);

}  // namespace digitron
