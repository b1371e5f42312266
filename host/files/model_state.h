// What a model has learnt, between a plan's flat layouts and a file's tensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "host/core/plan.h"
#include "host/files/safetensors.h"

namespace digitron {

struct ModelState {
  std::vector<float> parameters;  // flat in the plan's layout
  std::vector<float> buffers;     // running statistics, flat in the plan's layout
  int64_t batches_tracked = 0;    // training steps behind them: PyTorch's num_batches_tracked
};

// Before any training.
ModelState initial_state(const Plan& plan, uint64_t seed);

// The plan's parameters and running statistics from a file, gaps zero. Tensors are named as the
// plan names them (conv1.weight, bn1.running_mean) or, all of them, as torch.nn.Sequential does
// (0.weight). Throws InputError when a tensor is missing, is one too many, or has another type or
// shape; num_batches_tracked alone may be missing, as in old files of PyTorch.
ModelState load_state(SafetensorsFile& file, const Plan& plan);
ModelState load_state(const std::filesystem::path& path, const Plan& plan);

// The plan's parameters, or running statistics, in a flat buffer, for a file; each name follows the
// prefix. The values stay the caller's.
std::vector<TensorData> parameter_tensors(const Plan& plan, std::span<const float> flat,
                                          const std::string& prefix = "");
std::vector<TensorData> buffer_tensors(const Plan& plan, std::span<const float> flat,
                                       const std::string& prefix = "");

// A whole file as bytes, under the plan's names: what PyTorch's load_state_dict takes.
std::string safetensors_bytes(const Plan& plan, const ModelState& state, const Metadata& metadata);

}  // namespace digitron
