#include "tests/host_cuda/kernel.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>

#include "tests/host_cuda/cluster.h"
#include "tests/host_cuda/device.h"
#include "tests/host_cuda/dynamic_shared.h"
#include "tests/host_cuda/sanitizers.h"

namespace host_cuda {
namespace {

struct RunningKernel {
  Grid grid;
  std::vector<size_t> order;                    // of its clusters
  std::vector<std::unique_ptr<Cluster>> early;  // those that started before their turn
  bool started = false;
  bool rest_ended = false;  // have the clusters ended that did not start early?
};

class Chain {
 public:
  explicit Chain(const std::vector<const Kernel*>& kernels) : kernels_(kernels.size()) {
    for (size_t i = 0; i < kernels.size(); ++i) {
      const LaunchShape& shape = kernels[i]->shape;
      RunningKernel& kernel = kernels_[i];
      kernel.grid.kernel = kernels[i];
      kernel.grid.before = i == 0 ? nullptr : &kernels_[i - 1].grid;
      kernel.grid.has_dependent = i + 1 < kernels.size();
      kernel.order = visiting_order(shape.blocks() / shape.cluster_blocks(), 0);
    }
  }

  void run() {
    if (kernels_.size() > 1) start(1);
    for (size_t i = 0; i < kernels_.size(); ++i) finish(i);
    for (RunningKernel& kernel : kernels_) acquire(kernel.grid.end_sync);
  }

 private:
  static bool is_early(const RunningKernel& kernel, size_t position) {
    const LaunchShape& shape = kernel.grid.kernel->shape;
    const bool all =
        shape.blocks() <= kEarlyBlocks && shape.blocks() * shape.threads() <= kEarlyThreads;
    return kernel.started && (all || position == 0 || position + 1 == kernel.order.size());
  }

  // Kernel i, as far as it goes while those before it have not ended.
  void start(size_t i) {
    RunningKernel& kernel = kernels_[i];
    kernel.started = true;
    for (size_t position = 0; position < kernel.order.size(); ++position) {
      if (!is_early(kernel, position)) continue;
      kernel.early.push_back(
          std::make_unique<Cluster>(kernel.grid, kernel.order[position], host_threads_));
      if (kernel.grid.has_dependent) kernel.early.back()->stop_at_trigger();
    }
    kernel.rest_ended = kernel.early.size() == kernel.order.size();
    advance(i);
  }

  // The clusters that started early go on, and the next kernel starts as soon as it may.
  void advance(size_t i) {
    RunningKernel& kernel = kernels_[i];
    do {
      for (const auto& cluster : kernel.early) cluster->advance();
      const bool next_waits = kernel.grid.has_dependent && !kernels_[i + 1].started;
      if (next_waits && has_triggered(kernel)) start(i + 1);
    } while (let_go(kernel, Stop::kAtTrigger));
  }

  // The kernels before have ended.
  void finish(size_t i) {
    RunningKernel& kernel = kernels_[i];
    Block alone(kernel.grid);
    for (size_t position = 0; position < kernel.order.size(); ++position) {
      if (is_early(kernel, position)) continue;
      run_wholly(kernel, kernel.order[position], alone);
    }
    kernel.rest_ended = true;
    let_go(kernel, Stop::kAtDependency);
    advance(i);
    kernel.grid.complete = true;
    kernel.early.clear();
  }

  // alone: what runs the blocks of a kernel without clusters, on this host thread.
  void run_wholly(RunningKernel& kernel, size_t index, Block& alone) {
    const LaunchShape& shape = kernel.grid.kernel->shape;
    if (shape.cluster_blocks() > 1) return Cluster(kernel.grid, index, host_threads_).advance();
    alone.begin(position(index, shape.grid), shared_sync_);
    if (alone.advance() == Stop::kFailed) throw KernelProblem(alone.problem());
  }

  static bool has_triggered(const RunningKernel& kernel) {
    return kernel.rest_ended && std::all_of(kernel.early.begin(), kernel.early.end(),
                                            [](auto& cluster) { return cluster->has_triggered(); });
  }

  static bool let_go(RunningKernel& kernel, Stop stop) {
    bool found = false;
    for (const auto& cluster : kernel.early) found = cluster->let_go(stop) || found;
    return found;
  }

  HostThreads host_threads_;
  char shared_sync_ = 0;  // of the host thread that runs this
  std::vector<RunningKernel> kernels_;
};

}  // namespace

std::vector<size_t> visiting_order(size_t count, uint64_t salt) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  if (device().order == Order::kDescending) std::reverse(order.begin(), order.end());
  if (device().order == Order::kScrambled)
    std::shuffle(order.begin(), order.end(), std::mt19937_64(device().order_seed + salt));
  return order;
}

std::string run_kernels(const std::vector<const Kernel*>& kernels) {
  const IgnoreAccesses ignore;
  std::string problem;
  try {
    std::make_unique<Chain>(kernels)->run();
  } catch (const KernelProblem& caught) {
    problem = caught.what();
    Block::forget_fibers();
  }
  release_dynamic_shared();
  return problem;
}

}  // namespace host_cuda
