// The safetensors format: an 8-byte little-endian header length, a JSON header that gives every
// tensor's dtype, dims and place, then the data. Reads and writes F32, which is all that a
// checkpoint here holds. The format: https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "host/plan.h"

namespace digitron {

using Metadata = std::map<std::string, std::string>;

struct TensorInfo {
  std::string name;
  std::vector<int64_t> dims;
  uint64_t begin;  // in bytes, from the start of the data
  uint64_t end;
};

// An open file whose header has been read and checked: every tensor lies inside the file, as long
// as its dims say, and together they cover the data without gap or overlap. Values are read on
// demand, so that a header that does not fit the plan costs no memory.
class SafetensorsFile {
 public:
  // Throws InputError that names the path, the tensor and what to do.
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }  // in the data's order
  const Metadata& metadata() const { return metadata_; }               // __metadata__

  // Reads one tensor's values into `values` ((end - begin) / 4 floats). Throws InputError when one
  // of them is NaN or infinite.
  void read(const TensorInfo& tensor, std::span<float> values);

 private:
  std::string read_header();
  void parse_header(const std::string& header);

  std::filesystem::path path_;
  std::ifstream stream_;
  uint64_t data_begin_ = 0;
  uint64_t data_bytes_ = 0;
  std::vector<TensorInfo> tensors_;
  Metadata metadata_;
};

// The plan's parameters from a file, flat in the plan's layout, gaps zero. Tensors are named as the
// plan names them (conv1.weight) or, all of them, as torch.nn.Sequential does (0.weight). Throws
// InputError when a tensor is missing, is one too many, or has another shape.
std::vector<float> load_parameters(SafetensorsFile& file, const Plan& plan);
std::vector<float> load_parameters(const std::filesystem::path& path, const Plan& plan);

// A tensor to write; the values stay the caller's.
struct NamedTensor {
  std::string name;
  std::vector<int64_t> dims;
  std::span<const float> values;
};

// The plan's parameters in `flat`, a buffer of its layout; each name follows the prefix.
std::vector<NamedTensor> named_tensors(const Plan& plan, std::span<const float> flat,
                                       const std::string& prefix = "");

// A whole file as bytes.
std::string safetensors_bytes(std::span<const NamedTensor> tensors, const Metadata& metadata);

// The parameters (flat in the plan's layout) under the plan's names.
std::string safetensors_bytes(const Plan& plan, std::span<const float> parameters,
                              const Metadata& metadata);

}  // namespace digitron
