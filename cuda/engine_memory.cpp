#include "cuda/engine_memory.h"

#include <algorithm>
#include <string>

#include "cuda/copy.h"
#include "host/core/engine.h"

namespace digitron {

DataMemory::DataMemory(const Dataset& train, const Dataset& held_out, int batch,
                       cudaStream_t stream) {
  const auto add = [this](const std::string& name, DeviceSamples& samples, const Dataset& data) {
    samples.count = data.count();
    arena_.add(name + " images", &samples.images, data.images.size());
    arena_.add(name + " labels", &samples.labels, data.labels.size());
  };
  add("train", train_, train);
  add("held-out", held_out_, held_out);
  const int steps = steps_per_epoch(std::max(train_.count, held_out_.count), batch);
  arena_.add("metrics", &metrics_, static_cast<size_t>(steps));
  arena_.add("rates", &rates_, static_cast<size_t>(steps));
  arena_.allocate();
  upload<uint8_t>(train_.images, train.images, stream);
  upload<uint8_t>(train_.labels, train.labels, stream);
  upload<uint8_t>(held_out_.images, held_out.images, stream);
  upload<uint8_t>(held_out_.labels, held_out.labels, stream);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

OptimizerMemory::OptimizerMemory(const Optimizer& optimizer, size_t floats) {
  arena_.add("momentum", &momentum_, floats);
  if (uses(optimizer, State::kSecondMoment)) {
    arena_.add("second moment", &second_moment_, floats);
  }
  if (uses(optimizer, State::kAverage)) arena_.add("average", &average_, floats);
  arena_.allocate();
}

}  // namespace digitron
