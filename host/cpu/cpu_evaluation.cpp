// The CPU engine's evaluation: blocks that know nothing of each other.
#include <algorithm>
#include <atomic>
#include <chrono>

#include "host/cpu/cpu_engine.h"

namespace digitron {

namespace {

// Block b of `count` samples that lie one after another.
BlockSamples consecutive(const uint8_t* images, size_t pixels, const uint8_t* labels, int b,
                         int count) {
  BlockSamples samples;
  samples.count = std::min(kLanes, count - b * kLanes);
  for (int n = 0; n < samples.count; ++n) {
    const size_t index = static_cast<size_t>(b) * kLanes + n;
    samples.images[n] = images + index * pixels;
    samples.labels[n] = labels ? labels[index] : 0;
  }
  return samples;
}

}  // namespace

// Takes images forward in blocks, in evaluation; take(pass, block) reads a block's result off the
// pass. A thread takes the next group that nobody has, so that none waits for one that is held up.
template <class Take>
void CpuEngine::forward_blocks(int count, const uint8_t* images, const uint8_t* labels,
                               const Take& take) {
  const int blocks = blocks_of(count);
  const int most = threads_.evaluating();
  const int group = std::clamp(blocks / most, 1, layout_.evaluated_blocks());  // something for each
  const int threads = std::clamp((blocks + group - 1) / group, 1, most);
  std::atomic<int> next = 0;
  threads_.team().run(threads, [&](Worker worker) {
    NetworkPass pass(layout_, stage_pass(worker, evaluated_parameters(), nullptr, nullptr));
    pass.prepare();
    for (int segment = 1; segment < layout_.segment_count(); ++segment) {
      layout_.norm(segment).take_running_statistics(pass.stage_pass(),
                                                    buffer(State::kRunningStatistics));
    }
    for (int first; (first = next.fetch_add(group, std::memory_order_relaxed)) < blocks;) {
      BlockSamples samples[kGroupBlocks];
      Block taken[kGroupBlocks];
      const int together = std::min(group, blocks - first);
      for (int k = 0; k < together; ++k) {
        samples[k] = consecutive(images, plan_.pixels(), labels, first + k, count);
        taken[k] = block_at(worker.index * group + k, nullptr, first + k, samples[k]);
      }
      const auto there = std::span<const Block>(taken, static_cast<size_t>(together));
      pass.forward(there);
      for (const Block& block : there) take(pass, block);
    }
  });
}

Metrics CpuEngine::evaluate(Split split) {
  const Dataset& data = split == Split::kTrain ? *train_ : *held_out_;
  std::vector<Metrics> parts(static_cast<size_t>(blocks_of(data.count())));
  const auto start = std::chrono::steady_clock::now();
  forward_blocks(
      data.count(), data.images.data(), data.labels.data(),
      [&](const NetworkPass& pass, const Block& block) {
        BlockLosses losses;
        pass.loss(losses, block);
        for (int n = 0; n < block.count(); ++n) {
          parts[static_cast<size_t>(block.index)] += {losses.loss[n], losses.correct[n], 1};
        }
      });
  Metrics total;
  for (const Metrics& part : parts) total += part;
  timing_.seconds = {
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
  return total;
}

std::vector<float> CpuEngine::predict(std::span<const uint8_t> images) {
  const int count = static_cast<int>(images.size() / plan_.pixels());
  const int classes = plan_.classes();
  std::vector<float> logits(static_cast<size_t>(count) * static_cast<size_t>(classes));
  forward_blocks(count, images.data(), nullptr, [&](const NetworkPass& pass, const Block& block) {
    const float* lanes = pass.logits(block);
    for (int n = 0; n < block.count(); ++n) {
      float* row =
          logits.data() + static_cast<size_t>(block.first_row() + n) * static_cast<size_t>(classes);
      for (int c = 0; c < classes; ++c) row[c] = lanes[c * kLanes + n];
    }
  });
  return logits;
}

}  // namespace digitron
