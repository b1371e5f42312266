// Work on independent items, spread over the cores that this process may use.
#pragma once

#include <algorithm>
#include <cstdint>
#include <future>
#include <thread>
#include <vector>

namespace digitron {

// Calls work(begin, end) on disjoint ranges that cover [0, count), each on a thread of its own.
// Returns when all are done; throws what the first range that failed threw.
template <typename Work>
void for_ranges(int count, const Work& work) {
  const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::vector<std::future<void>> ranges;
  for (int i = 0; i < threads; ++i) {
    const int begin = static_cast<int>(int64_t{count} * i / threads);
    const int end = static_cast<int>(int64_t{count} * (i + 1) / threads);
    ranges.push_back(std::async(std::launch::async, [=, &work] { work(begin, end); }));
  }
  for (auto& range : ranges) range.wait();
  for (auto& range : ranges) range.get();
}

}  // namespace digitron
