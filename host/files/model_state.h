// What a model has learnt: in memory as the flat buffers of a plan, in a file as named tensors.
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
  int64_t batches_tracked = 0;    // steps that updated the statistics: num_batches_tracked
  std::string run = {};           // id of the run that saved it; empty where the file names none
};

// The model before any training, its parameters drawn from the seed.
ModelState initial_state(const Plan& plan, uint64_t seed);

// The plan's parameters and running statistics from a file; the gaps between them are zero. Tensors
// are named as the plan names them (conv1.weight, bn1.running_mean) or, all of them, as
// torch.nn.Sequential does (0.weight). Throws InputError when a tensor is missing, is one too many,
// or has another type or shape; num_batches_tracked alone may be missing, as in old files of
// PyTorch.
ModelState load_state(SafetensorsFile& file, const Plan& plan);
ModelState load_state(const std::filesystem::path& path, const Plan& plan);

// The tensors of a flat buffer of parameters, or of running statistics, for a file; each is named
// as in the plan, after the prefix. They point into `flat`.
std::vector<TensorData> parameter_tensors(const Plan& plan, std::span<const float> flat,
                                          const std::string& prefix = "");
std::vector<TensorData> buffer_tensors(const Plan& plan, std::span<const float> flat,
                                       const std::string& prefix = "");

// A whole file as bytes, under the plan's names: what PyTorch's load_state_dict takes.
std::string safetensors_bytes(const Plan& plan, const ModelState& state, const Metadata& metadata);

}  // namespace digitron
