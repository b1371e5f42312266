#include "cuda/phase_events.h"

namespace digitron {

PhaseEvents::PhaseEvents(cudaStream_t stream, int steps, size_t most_phases)
    : stream_(stream), events_(static_cast<size_t>(steps) * most_phases + 1) {
  for (Event& event : events_) check(cudaEventCreate(event.out()), "cudaEventCreate");
  record();
}

void PhaseEvents::record() {
  check(cudaEventRecord(events_.at(recorded_++).get(), stream_), "cudaEventRecord");
}

void PhaseEvents::mark(const std::string& name, const char* direction) {
  if (steps_ == 0) phases_.push_back({name, direction});
  record();
}

double PhaseEvents::seconds(size_t first, size_t last) const {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, events_[first].get(), events_[last].get()),
        "cudaEventElapsedTime");
  return milliseconds / 1000.0;
}

Profile PhaseEvents::profile() const {
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  std::vector<double> steps, times;
  for (size_t step = 0; step < steps_; ++step) {
    const size_t first = step * phases_.size();
    steps.push_back(seconds(first, first + phases_.size()));
    for (size_t i = first; i < first + phases_.size(); ++i) times.push_back(seconds(i, i + 1));
  }
  return steady_profile(phases_, steps, times, times);
}

}  // namespace digitron
