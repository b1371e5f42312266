// What a step or an evaluation measures, and how steps are counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace digitron {

// Sums over samples; means are taken last, so that a ragged batch weighs what it should.
struct Metrics {
  double loss_sum = 0;
  int64_t correct = 0;
  int64_t count = 0;

  double loss() const { return loss_sum / static_cast<double>(count); }
  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(count); }
  Metrics& operator+=(const Metrics& other) {
    loss_sum += other.loss_sum;
    correct += other.correct;
    count += other.count;
    return *this;
  }
};

// Of one sample whose class is `label`, in double.
double cross_entropy(std::span<const float> logits, size_t label);

// Steps of one epoch: every image is used.
inline int steps_per_epoch(int count, int batch) {
  return (count + batch - 1) / batch;
}

// A step's number in the whole run, from 0; epochs count from 1. Dropout draws with it.
inline uint32_t global_step(int epoch, int step, int count, int batch) {
  return static_cast<uint32_t>(int64_t{epoch - 1} * steps_per_epoch(count, batch) + step);
}

}  // namespace digitron
