// What a training run is asked to do.
#pragma once

#include <cstdint>
#include <optional>

namespace digitron {

// The defaults are the reference job.
struct TrainSettings {
  int epochs = 10;
  int batch = 64;
  double lr = 0.01;
  double momentum = 0.9;
  double weight_decay = 0;
  uint64_t seed = 1;
  bool shuffle = true;
  std::optional<int64_t> max_steps;  // of the whole run
  bool log_steps = false;            // an event for every step
};

// Throws InputError for a setting that makes no sense, naming its option. The batch is compared
// with the data set by check_batch, once that is loaded.
void check_settings(const TrainSettings& settings);
void check_batch(int batch, int train_count);

}  // namespace digitron
