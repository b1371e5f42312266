// Where the time of a training step goes, as far as the engine tells.
#pragma once

#include <string>

#include "host/core/engine.h"

namespace digitron {

// Trains `steps` steps, or an epoch's whole batches if these are fewer; the engine holds a training
// set of train_count images and initial parameters. Throws InputError for less than one step, and
// for an engine that times no phases.
Profile measure_phases(Engine& engine, int train_count, int steps);

// A heading, one row a phase and their sum: direction, name, times, share of the sum.
std::string profile_table(const Profile& profile);

}  // namespace digitron
