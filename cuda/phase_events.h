// The phases of training steps by events between them on the stream.
#pragma once

#include <string>
#include <vector>

#include "cuda/check.h"
#include "cuda/unique.h"
#include "host/core/profile.h"

namespace digitron {

// Marks the end of each phase, where the next begins, so that a step's phases are all of it: what
// the stream waits for between two launches is in the second one's phase. Every step has the same.
class PhaseEvents {
 public:
  // For `steps` steps of at most most_phases; the first begins with the next work on the stream.
  // Throws MachineError, as mark and profile do.
  PhaseEvents(cudaStream_t stream, int steps, size_t most_phases);

  // The work enqueued since the last mark was this phase's.
  void mark(const std::string& name, const char* direction);
  void end_step() { ++steps_; }

  // Waits for the stream.
  Profile profile() const;

 private:
  using Event = Unique<cudaEvent_t, cudaEventDestroy>;

  void record();
  double seconds(size_t first, size_t last) const;

  cudaStream_t stream_;
  std::vector<Event> events_;  // (steps * phases + 1)
  size_t recorded_ = 0;
  size_t steps_ = 0;           // that have ended
  std::vector<Phase> phases_;  // without times
};

// events: null in steps that nobody profiles.
inline void mark(PhaseEvents* events, const std::string& name, const char* direction) {
  if (events) events->mark(name, direction);
}

}  // namespace digitron
