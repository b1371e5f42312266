#include "tests/host_cuda/block.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <device_language.h>
#include "tests/host_cuda/block_threads.h"
#include "tests/host_cuda/device.h"
#include "tests/host_cuda/dynamic_shared.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace host_cuda {
namespace {

std::vector<size_t> visiting_order(size_t count, uint64_t salt) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  if (device().order == Order::kDescending) std::reverse(order.begin(), order.end());
  if (device().order == Order::kScrambled)
    std::shuffle(order.begin(), order.end(), std::mt19937_64(device().order_seed + salt));
  return order;
}

uint3 position(size_t index, dim3 extent) {
  const size_t plane = size_t{extent.x} * extent.y;
  return {static_cast<unsigned>(index % extent.x), static_cast<unsigned>(index % plane / extent.x),
          static_cast<unsigned>(index / plane)};
}

size_t volume(dim3 extent) {
  return size_t{extent.x} * extent.y * extent.z;
}

}  // namespace

void block_barrier(Site site) {
  Block::running->wait_at_barrier(site);
}

uint64_t warp_meet(WarpOperation operation, unsigned mask, uint64_t bits, int source_lane,
                   Site site) {
  return Block::running->wait_in_warp({operation, mask, bits, source_lane}, site);
}

int lane() {
  return Block::running->current_lane();
}

std::string run_grid(const LaunchShape& shape, const std::function<void()>& thread) {
  gridDim = shape.grid;
  blockDim = shape.block;
  Block block(volume(shape.block), thread);
  Block::running = &block;
  std::string problem;
  for (const size_t index : visiting_order(volume(shape.grid), 0)) {
    blockIdx = position(index, shape.grid);
    prepare_dynamic_shared(shape.dynamic_shared_bytes);
    problem = block.run(visiting_order(volume(shape.block), index + 1));
    if (!problem.empty()) break;
  }
  Block::running = nullptr;
  release_dynamic_shared();
  return problem;
}

void Block::set_current(size_t index) {
  current_ = index;
  threadIdx = position(index, blockDim);
}

}  // namespace host_cuda
