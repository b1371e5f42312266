// The safetensors format: an 8-byte little-endian header length, a JSON header that gives every
// tensor's dtype, dims and place, then the data. Reads and writes F32 and I64, which is all that a
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

namespace digitron {

using Metadata = std::map<std::string, std::string>;

inline constexpr const char* kFloat = "F32";
inline constexpr const char* kInt64 = "I64";

struct TensorInfo {
  std::string name;
  std::string dtype;
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

  // Reads one F32 tensor's values into `values` ((end - begin) / 4 floats). Throws InputError when
  // one of them is NaN or infinite.
  void read(const TensorInfo& tensor, std::span<float> values);
  // The value of an I64 tensor of one element.
  int64_t read_int64(const TensorInfo& tensor);

 private:
  void read_bytes(const TensorInfo& tensor, std::span<std::byte> bytes);
  bool read_next(void* bytes, uint64_t count);
  std::string read_header();
  void parse_header(const std::string& header);

  std::filesystem::path path_;
  std::ifstream stream_;
  uint64_t data_begin_ = 0;
  uint64_t data_bytes_ = 0;
  std::vector<TensorInfo> tensors_;
  Metadata metadata_;
};

// A tensor to be written: its elements are `bytes`.
struct TensorData {
  std::string name;
  const char* dtype;  // kFloat or kInt64
  std::vector<int64_t> dims;
  std::span<const std::byte> bytes;
};

// A whole file as bytes, tensors in the order given: those of 8-byte elements should come first, so
// that all are aligned.
std::string safetensors_bytes(const std::vector<TensorData>& tensors, const Metadata& metadata);

// "(6, 1, 5, 5)"
std::string dims_text(const std::vector<int64_t>& dims);

}  // namespace digitron
