#include "host/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <new>
#include <span>

#include "host/core/error.h"
#include "host/core/huge_pages.h"
#include "host/data/gzip.h"
#include "host/files/file_error.h"

namespace digitron {

namespace {

// The third byte is the type of the elements, the fourth the number of dimensions.
constexpr uint32_t kImagesMagic = 0x00000803;  // u8, 3
constexpr uint32_t kColourMagic = 0x00000804;  // u8, 4
constexpr uint32_t kLabelsMagic = 0x00000801;  // u8, 1
constexpr uint32_t kRowsMagic = 0x00000c02;    // i32, 2: a row for each label

// Deflate's limit: no .gz holds more than this many times its own size.
constexpr uint64_t kMaxInflation = 1032;

// Small enough to stay in the L2 cache between inflation and the copy into place.
constexpr size_t kChunkBytes = size_t{128} << 10;

// A file's bytes, inflated when they start as a .gz does, whatever its name. Every error names the
// file.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path.string()) {
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
      fail("is not a file of data; check that the right file has this name");
    file_.reset(gzopen(path.c_str(), "rb"));
    if (!file_) throw_file_error("cannot open " + path_, errno, "make it readable");
    gzbuffer(file_.get(), kChunkBytes);
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    most_bytes_ = error ? 0 : uint64_t{size} * (gzdirect(file_.get()) ? 1 : kMaxInflation);
  }

  // Fills `bytes` as far as the file goes and returns how many there were.
  size_t read(std::span<uint8_t> bytes) {
    const int count = gzread(file_.get(), bytes.data(), static_cast<unsigned>(bytes.size()));
    const int error = errno;
    int code = Z_OK;
    const std::string reason = gzerror(file_.get(), &code);
    if (code == Z_MEM_ERROR) throw std::bad_alloc();
    if (code == Z_ERRNO) throw_file_error("cannot read " + path_, error, "make it readable");
    found_ += static_cast<uint64_t>(std::max(count, 0));
    if (code != Z_OK && code != Z_STREAM_END) {
      const size_t start = reason.starts_with(path_ + ": ") ? path_.size() + 2 : 0;
      fail("is corrupt after " + std::to_string(found_) + " uncompressed bytes (" +
           reason.substr(start) + "); get it again");
    }
    return static_cast<size_t>(count);
  }

  uint32_t read_u32() {
    uint8_t b[4];
    if (read(b) != sizeof b)
      fail("is truncated: " + std::to_string(found_) +
           " bytes are less than a header; get it again");
    return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
  }

  // All that is left, which must be `count` bytes.
  Inflated read_rest(uint64_t count) {
    const uint64_t expected = found_ + count;
    if (!gzdirect(file_.get())) {
      if (auto rest = inflate_file(path_, expected, found_)) return *std::move(rest);
    }
    std::vector<uint8_t> rest = reserve_huge(std::min(count, most_bytes_));
    std::vector<uint8_t> chunk(kChunkBytes);
    while (const size_t got =
               read(std::span(chunk).first(std::min(count - rest.size(), kChunkBytes))))
      rest.insert(rest.end(), chunk.begin(), chunk.begin() + static_cast<ptrdiff_t>(got));
    if (found_ != expected)
      fail("is truncated: its header promises " + std::to_string(expected) + " bytes, it has " +
           std::to_string(found_) + "; get it again");
    if (read(std::span(chunk).first(1)) != 0)  // also makes zlib compare the check sum at the end
      fail("goes on after the " + std::to_string(expected) +
           " bytes its header promises; get it again");
    return {std::move(rest), ""};
  }

  [[noreturn]] void fail(const std::string& what) const { throw InputError(path_ + " " + what); }
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose_r(file); }
  };
  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
  uint64_t most_bytes_ = 0;
  uint64_t found_ = 0;
};

// The magic number, which must be one of two.
uint32_t read_magic(Reader& reader, uint32_t expected, uint32_t other, const char* kind) {
  const uint32_t magic = reader.read_u32();
  if (magic == expected || magic == other) return magic;
  char text[128];
  std::snprintf(text, sizeof text,
                "has the wrong magic number: 0x%08x, but an IDX file of %s has 0x%08x or 0x%08x",
                magic, kind, expected, other);
  reader.fail(std::string(text) + "; check that the right file has this name");
}

// Before a byte of the images is inflated: ten megabytes of .gz can hold eight gigabytes of them.
void check_count(const Reader& reader, uint32_t count, uint64_t each) {
  constexpr uint32_t kMostImages = 2'000'000;  // the largest set of this kind, EMNIST, has 814,255
  constexpr uint64_t kMostBytes = uint64_t{kMostImages} * 784;
  if (count > kMostImages) {
    reader.fail("promises " + std::to_string(count) + " images; at most " +
                std::to_string(kMostImages) + " can be: give a smaller set");
  }
  if (count * each > kMostBytes) {
    reader.fail("promises " + std::to_string(count * each) + " bytes; at most " +
                std::to_string(kMostBytes) + " can be: give a smaller set");
  }
}

std::vector<uint8_t> big_endian(std::initializer_list<uint32_t> words) {
  std::vector<uint8_t> bytes;
  for (const uint32_t word : words)
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<uint8_t>(word >> shift));
  return bytes;
}

Shape read_image_shape(Reader& reader, uint32_t magic) {
  Shape image{1, 0, 0};
  const auto side = [&] {
    const uint32_t value = reader.read_u32();
    return static_cast<int>(std::min(value, uint32_t{1} << 30));
  };
  if (magic == kColourMagic) image.channels = side();
  image.height = side();
  image.width = side();
  Task task;
  task.image = image;
  task.mean.resize(static_cast<size_t>(std::clamp(image.channels, 1, kMostChannels)), 0.0f);
  task.deviation.resize(task.mean.size(), 1.0f);
  check_task(task, reader.path());
  return image;
}

}  // namespace

IdxImages read_idx_images(const std::filesystem::path& path) {
  Reader reader(path);
  const uint32_t magic = read_magic(reader, kImagesMagic, kColourMagic, "images");
  const uint32_t count = reader.read_u32();
  const Shape image = read_image_shape(reader, magic);
  if (count == 0) reader.fail("has no images; get it again");
  const auto pixels = static_cast<uint64_t>(image.count());
  check_count(reader, count, pixels);
  Inflated rest = reader.read_rest(count * pixels);
  return {std::move(rest.bytes), image, std::move(rest.sha256)};
}

std::vector<uint8_t> read_idx_labels(const std::filesystem::path& path) {
  Reader reader(path);
  const uint32_t magic = read_magic(reader, kLabelsMagic, kRowsMagic, "labels");
  const uint32_t count = reader.read_u32();
  if (count == 0) reader.fail("has no labels; get it again");
  if (magic == kLabelsMagic) {
    check_count(reader, count, 1);
    return reader.read_rest(count).bytes;
  }
  constexpr uint32_t kMostColumns = 64;
  const uint32_t columns = reader.read_u32();
  if (columns == 0 || columns > kMostColumns) {
    reader.fail("has rows of " + std::to_string(columns) + " integers; they can have 1 to " +
                std::to_string(kMostColumns));
  }
  const size_t row = columns * sizeof(uint32_t);
  check_count(reader, count, row);
  const std::vector<uint8_t> rows = reader.read_rest(uint64_t{count} * row).bytes;
  std::vector<uint8_t> labels(count);
  for (size_t i = 0; i < labels.size(); ++i) {
    const uint8_t* label = rows.data() + i * row;  // big-endian
    if (label[0] != 0 || label[1] != 0 || label[2] != 0) {
      reader.fail("has a label at index " + std::to_string(i) + " that is not 0 to 255");
    }
    labels[i] = label[3];
  }
  return labels;
}

ImageSet read_idx_dataset(const std::filesystem::path& images,
                          const std::filesystem::path& labels) {
  Dataset data;
  data.labels = read_idx_labels(labels);
  IdxImages read = read_idx_images(images);
  data.images = std::move(read.bytes);
  const size_t count = data.images.size() / static_cast<size_t>(read.image.count());
  if (count != data.labels.size())
    throw InputError(images.string() + " has " + std::to_string(count) + " images but " +
                     labels.string() + " has " + std::to_string(data.labels.size()) +
                     " labels; take both from one data set");
  return {std::move(data), read.image, std::move(read.sha256)};
}

std::vector<uint8_t> idx_images_header(uint32_t count, const Shape& image) {
  const auto channels = static_cast<uint32_t>(image.channels);
  const auto height = static_cast<uint32_t>(image.height);
  const auto width = static_cast<uint32_t>(image.width);
  if (channels == 1) return big_endian({kImagesMagic, count, height, width});
  return big_endian({kColourMagic, count, channels, height, width});
}

std::vector<uint8_t> idx_labels_header(uint32_t count) {
  return big_endian({kLabelsMagic, count});
}

}  // namespace digitron
