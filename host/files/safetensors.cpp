#include "host/files/safetensors.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <tuple>
#include <unordered_set>

#include "host/core/error.h"
#include "host/files/file_error.h"
#include "host/files/json.h"

namespace digitron {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 16 << 20;  // the format's own limit is 100,000,000
constexpr const char* kDamaged = "; the file is damaged: copy or save it again";

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw InputError(path.string() + ": " + what);
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& tensor,
                       const std::string& what) {
  fail(path, "tensor " + tensor + " " + what);
}

// Reads a header without keeping it, for what nlohmann's own reading lets pass or does slowly: a
// name that stands twice, of which it would keep the last alone, deep nesting, and too many names.
class HeaderCheck : public nlohmann::json_sax<json> {
 public:
  const std::string& twice() const { return twice_; }
  bool has_too_many() const { return names_.size() > kMostTensors; }

  bool key(std::string& name) override {
    if (depth_ == 1 && !names_.insert(name).second) twice_ = name;
    return twice_.empty() && !has_too_many();
  }
  bool start_object(size_t) override { return ++depth_ <= kMostNesting; }
  bool end_object() override { return --depth_ >= 0; }
  bool start_array(size_t) override { return ++depth_ <= kMostNesting; }
  bool end_array() override { return --depth_ >= 0; }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(json::binary_t&) override { return true; }
  bool parse_error(size_t, const std::string&, const json::exception&) override { return false; }

 private:
  static constexpr size_t kMostTensors = 10'000;
  static constexpr int kMostNesting = 8;

  std::unordered_set<std::string> names_;
  std::string twice_;
  int depth_ = 0;
};

json parse_object(const std::filesystem::path& path, const std::string& header) {
  HeaderCheck check;
  const bool proper = json::sax_parse(header, &check);
  if (!check.twice().empty()) fail(path, check.twice(), std::string("is there twice") + kDamaged);
  if (check.has_too_many()) {
    fail(path, "has more tensors than any model here; give a checkpoint of a small network");
  }
  json object = proper ? json::parse(header, nullptr, /*allow_exceptions=*/false) : json();
  if (object.is_object()) return object;
  fail(path, "its header is not a JSON object; give a file in the safetensors format");
}

bool is_index(const json& value) {
  return value.is_number_unsigned() && value.get<uint64_t>() <= uint64_t{INT64_MAX};
}

bool all_indices(const json& list) {
  return list.is_array() && std::all_of(list.begin(), list.end(), is_index);
}

// Bytes of a tensor, or more than any file has when the product overflows.
uint64_t tensor_bytes(const std::vector<int64_t>& dims, const std::string& dtype) {
  uint64_t bytes = dtype == kInt64 ? sizeof(int64_t) : sizeof(float);
  for (const int64_t dim : dims) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes)) return UINT64_MAX;
  }
  return bytes;
}

TensorInfo parse_tensor(const std::filesystem::path& path, const std::string& name,
                        const json& entry) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !all_indices(entry["shape"]) || !entry.contains("data_offsets") ||
      !all_indices(entry["data_offsets"]) || entry["data_offsets"].size() != 2) {
    fail(path, name, std::string("lacks a proper dtype, shape or data_offsets") + kDamaged);
  }
  const std::string dtype = entry["dtype"];
  if (dtype != kFloat && dtype != kInt64) {
    fail(path, name, "is of type " + dtype + "; save the model as F32, with model.float()");
  }
  return {name, dtype, entry["shape"], entry["data_offsets"][0], entry["data_offsets"][1]};
}

void check_places(const std::filesystem::path& path, const std::vector<TensorInfo>& tensors,
                  uint64_t data_bytes) {
  uint64_t covered = 0;
  for (const TensorInfo& tensor : tensors) {
    const std::string place =
        "at bytes " + std::to_string(tensor.begin) + " to " + std::to_string(tensor.end);
    if (tensor.begin > tensor.end || tensor.end > data_bytes) {
      fail(path, tensor.name,
           place + " does not lie in the file's " + std::to_string(data_bytes) + " bytes of data" +
               kDamaged);
    }
    if (tensor.end - tensor.begin != tensor_bytes(tensor.dims, tensor.dtype)) {
      fail(path, tensor.name,
           place + " does not fit its shape " + dims_text(tensor.dims) + kDamaged);
    }
    if (tensor.begin < covered) {
      fail(path, tensor.name, place + " overlaps the tensor before it" + kDamaged);
    }
    if (tensor.begin > covered) {
      fail(path, tensor.name, place + " leaves a hole in the data before it" + kDamaged);
    }
    covered = tensor.end;
  }
  if (covered != data_bytes) {
    fail(path, "its tensors cover " + std::to_string(covered) + " of " +
                   std::to_string(data_bytes) + " bytes of data" + kDamaged);
  }
}

}  // namespace

std::string dims_text(const std::vector<int64_t>& dims) {
  std::string text = "(";
  for (const int64_t dim : dims) text += (text.size() > 1 ? ", " : "") + std::to_string(dim);
  return text + ")";
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) fail(path, "no such file; check the path");
  if (!std::filesystem::is_regular_file(path, error)) {
    fail(path, "is not a file; give the path of a .safetensors file");
  }
  stream_.open(path, std::ios::binary);
  if (!stream_) throw_file_error("cannot open " + path.string(), errno, "make it readable");
  parse_header(read_header());
}

// False where the file ends before: it is not what it promises. A disk that fails says another
// thing.
bool SafetensorsFile::read_next(void* bytes, uint64_t count) {
  errno = 0;
  stream_.read(static_cast<char*>(bytes), static_cast<std::streamsize>(count));
  if (stream_.bad()) throw_file_error("cannot read " + path_.string(), errno, "make it readable");
  return !stream_.fail();
}

std::string SafetensorsFile::read_header() {
  stream_.seekg(0, std::ios::end);
  const uint64_t file_bytes = static_cast<uint64_t>(stream_.tellg());
  stream_.seekg(0);
  uint64_t header_bytes = 0;
  if (!read_next(&header_bytes, kLengthBytes)) {
    fail(path_, "is too short for a safetensors file" + std::string(kDamaged));
  }
  if (header_bytes > std::min(file_bytes - kLengthBytes, kMaxHeaderBytes)) {
    fail(path_, "its header would take " + std::to_string(header_bytes) + " bytes of a file of " +
                    std::to_string(file_bytes) +
                    "; the file is truncated or not in the safetensors format");
  }
  std::string header(header_bytes, '\0');
  if (!read_next(header.data(), header_bytes)) {
    fail(path_, "cannot be read" + std::string(kDamaged));
  }
  data_begin_ = kLengthBytes + header_bytes;
  data_bytes_ = file_bytes - data_begin_;
  return header;
}

void SafetensorsFile::parse_header(const std::string& header) {
  const json object = parse_object(path_, header);
  for (const auto& [name, entry] : object.items()) {
    if (name != "__metadata__") {
      tensors_.push_back(parse_tensor(path_, name, entry));
      continue;
    }
    const bool strings =
        entry.is_object() &&
        std::all_of(entry.begin(), entry.end(), [](const json& v) { return v.is_string(); });
    if (!strings) fail(path_, "its __metadata__ is not a map of strings" + std::string(kDamaged));
    metadata_ = entry.get<Metadata>();
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  check_places(path_, tensors_, data_bytes_);
}

void SafetensorsFile::read_bytes(const TensorInfo& tensor, std::span<std::byte> bytes) {
  stream_.seekg(static_cast<std::streamoff>(data_begin_ + tensor.begin));
  if (!read_next(bytes.data(), bytes.size())) {
    fail(path_, tensor.name, std::string("cannot be read") + kDamaged);
  }
}

int64_t SafetensorsFile::read_int64(const TensorInfo& tensor) {
  int64_t value = 0;
  read_bytes(tensor, std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

void SafetensorsFile::read(const TensorInfo& tensor, std::span<float> values) {
  read_bytes(tensor, std::as_writable_bytes(values));
  const auto bad =
      std::find_if_not(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  if (bad != values.end()) {
    fail(path_, tensor.name,
         "holds " + std::to_string(*bad) + " at index " + std::to_string(bad - values.begin()) +
             "; give a checkpoint from before the training went wrong");
  }
}

std::string safetensors_bytes(const std::vector<TensorData>& tensors, const Metadata& metadata) {
  ordered_json header;
  header["__metadata__"] = metadata;
  uint64_t end = 0;
  for (const TensorData& tensor : tensors) {
    const uint64_t begin = end;
    end += tensor.bytes.size();
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.dims}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8,
              ' ');  // the data starts at a multiple of 8, so it can be mapped

  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), kLengthBytes);
  bytes += text;
  for (const TensorData& tensor : tensors) {
    bytes.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  }
  return bytes;
}

}  // namespace digitron
