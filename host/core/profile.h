// Where the time of training steps goes, as an engine tells it.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace digitron {

// A part of a training step, by a device's own clock.
struct Phase {
  std::string name;       // what it works on: "conv1", "gather", "loss", "update", "waiting"
  std::string direction;  // of a layer: "forward", "backward" or "update"; else empty
  double time = 0;        // that it takes of a step, in the profile's unit
  double slowest = 0;     // the same of the slowest thread, or block, of each step
};

// One piece of work on a timeline. Those of a lane lie side by side or inside one another.
struct TraceEvent {
  std::string lane;          // who did it: "thread 0", "stream 7"
  std::string name;          // "conv1 forward", "step"
  std::string category;      // "forward", "backward", "update", "gather", "loss", "waiting", "step"
  double begin_seconds = 0;  // from the beginning of the timeline
  double seconds = 0;
  int step = -1;   // of the epoch, from 0; -1: of none
  int block = -1;  // the first block of samples that it works on; -1: of none, or of all
};

// What profiled steps took.
struct Profile {
  std::string unit;                    // of the phases' times: "seconds" or "clocks"
  std::vector<Phase> phases = {};      // in the order in which a step has them
  double step_seconds = 0;             // of a whole step; in seconds the phases add up to it
  std::vector<TraceEvent> trace = {};  // when asked for
};

// The mean of the middle half by length. So an interrupted step does not count; and unlike a
// median's, the parts of a mean add up.
double steady_mean(std::span<const double> step_seconds);

// A profile in seconds of timed steps: means over the middle half of the steps by the sum of their
// phases. times and slowest: (steps, phases), as Phase has them.
Profile steady_profile(std::vector<Phase> phases, std::span<const double> step_seconds,
                       std::span<const double> times, std::span<const double> slowest);

}  // namespace digitron
