#include "cuda/data_memory.h"

#include <algorithm>
#include <string>

#include "cuda/copy.h"
#include "host/engine.h"

namespace digitron {

DataMemory::DataMemory(const Dataset& train, const Dataset& test, int batch, cudaStream_t stream) {
  const auto add = [this](const std::string& name, Samples& samples, const Dataset& data) {
    samples.count = data.count();
    arena_.add(name + " images", &samples.images, data.images.size());
    arena_.add(name + " labels", &samples.labels, data.labels.size());
  };
  add("train", train_, train);
  add("test", test_, test);
  const int steps = steps_per_epoch(std::max(train_.count, test_.count), batch);
  arena_.add("metrics", &metrics_, static_cast<size_t>(steps));
  arena_.add("rates", &rates_, static_cast<size_t>(steps));
  arena_.allocate();
  upload<uint8_t>(train_.images, train.images, stream);
  upload<uint8_t>(train_.labels, train.labels, stream);
  upload<uint8_t>(test_.images, test.images, stream);
  upload<uint8_t>(test_.labels, test.labels, stream);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
}

}  // namespace digitron
