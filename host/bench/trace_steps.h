// The steps of a training as a timeline.
#pragma once

#include <span>
#include <vector>

#include "host/core/engine.h"
#include "host/train/settings.h"
#include "host/train/step_capture.h"

namespace digitron {

// Trains up to the steps and draws them: on the CPU an event a thread, stage and block, by the
// engine's own clocks; on a GPU its kernels, by CUPTI, and behind them, where the step has clocks,
// one step more with its phases. The engine holds a training set of train_count images, is
// configured as `settings` have it, and has trained nothing. Events tell a step by its number in
// the run. Throws InputError, before it trains, for steps that the run does not have or, on the
// CPU, that are not whole batches of one epoch, and for an engine that draws none.
std::vector<TraceEvent> trace_steps(Engine& engine, int train_count, const TrainSettings& settings,
                                    StepRange range);

// Puts the phases of a step, whose first event is named after the kernel that they are in, below
// the first kernel of that name; behind all, where CUPTI has dropped it. The phases' clock and
// CUPTI's count from different moments: assumed is that the step's first block begins when CUPTI
// says that its kernel does, and that both count the same nanoseconds. There is at least one
// kernel.
void add_phases(std::vector<TraceEvent>& kernels, std::span<const TraceEvent> phases);

}  // namespace digitron
