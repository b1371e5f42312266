#include "host/data/idx.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <string>

#include "host/core/error.h"
#include "tests/data_testing.h"
#include "tests/idx_files.h"
#include "tests/mnist_form.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using testing::error_of;
using testing::gzipped;
using ::testing::HasSubstr;
using testing::idx_images_bytes;
using testing::idx_labels_bytes;
using testing::read_file;
using testing::small_dataset;
using testing::TemporaryDirectory;
using testing::write_file;

class Idx : public ::testing::Test {
 protected:
  // The error that reading `bytes` as images gives. It names the file and leaves it alone.
  std::string images_error(const std::string& bytes) {
    write_file(images_, bytes);
    const std::string message = error_of<InputError>([&] { read_idx_images(images_); });
    EXPECT_THAT(message, HasSubstr(images_.string()));
    EXPECT_EQ(read_file(images_), bytes);
    return message;
  }

  std::string labels_error(const std::string& bytes) {
    write_file(labels_, bytes);
    const std::string message = error_of<InputError>([&] { read_idx_labels(labels_); });
    EXPECT_THAT(message, HasSubstr(labels_.string()));
    return message;
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path images_ = directory_ / "images";
  const std::filesystem::path labels_ = directory_ / "labels";
  const Dataset data_ = small_dataset(400);  // 313,600 bytes: more than one chunk
  const std::string image_bytes_ = idx_images_bytes(data_);
};

// Ten megabytes of .gz can hold eight gigabytes of zeros: the header is believed only so far, and
// no byte behind it is inflated.
TEST_F(Idx, PromisesOfTooMuchAreRefused) {
  std::string bytes = image_bytes_;
  bytes.replace(4, 4, std::string("\x00\xd1\x00\x00", 4));
  EXPECT_THAT(images_error(gzipped(bytes)), HasSubstr("promises 13697024 images; at most 2000000"));
}

TEST_F(Idx, APipeIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(images_.c_str(), 0600), 0);
  EXPECT_THAT(error_of<InputError>([&] { read_idx_images(images_); }),
              HasSubstr("images is not a file of data; check that"));
}

TEST_F(Idx, ReadsPlainAndGz) {
  for (const bool gz : {false, true}) {
    write_file(images_, gz ? gzipped(image_bytes_) : image_bytes_);
    write_file(labels_, gz ? gzipped(idx_labels_bytes(data_)) : idx_labels_bytes(data_));
    const Dataset read = read_idx_dataset(images_, labels_).data;
    EXPECT_EQ(read.count(), 400);
    EXPECT_EQ(read.images, data_.images);
    EXPECT_EQ(read.labels, data_.labels);
  }
}

TEST_F(Idx, ImagesOfAnyFormAndLabelsInRows) {
  const std::string colour("\0\0\x08\x04\0\0\0\x02\0\0\0\x03\0\0\0\x02\0\0\0\x01", 20);
  write_file(images_, colour + "abcdefABCDEF");
  const IdxImages read = read_idx_images(images_);
  EXPECT_EQ(read.image, (Shape{3, 2, 1}));
  EXPECT_EQ(read.bytes.size(), 12u);
  const std::string rows("\0\0\x0c\x02\0\0\0\x02\0\0\0\x02", 12);
  const std::string of_two("\0\0\0\x07\0\0\0\x63\0\0\0\x05\0\0\1\x63", 16);
  write_file(labels_, rows + of_two);
  EXPECT_EQ(read_idx_labels(labels_), (std::vector<uint8_t>{7, 5}));
  EXPECT_THAT(labels_error(rows + std::string("\0\0\1\x07", 4) + of_two.substr(4)),
              HasSubstr("has a label at index 0 that is not 0 to 255"));
  EXPECT_THAT(images_error(colour.substr(0, 8) + std::string("\0\0\0\x05", 4) + colour.substr(12)),
              AllOf(HasSubstr("images of 5x2x1"), HasSubstr("1 to 4 channels")));
}

TEST_F(Idx, GzOfSeveralMembers) {
  write_file(images_, gzipped(image_bytes_.substr(0, 1000)) + gzipped(image_bytes_.substr(1000)));
  EXPECT_EQ(read_idx_images(images_).bytes, data_.images);
}

// Its trailer says that it is shorter than its header says, or than it is.
TEST_F(Idx, GzWhoseSizeLies) {
  std::string gz = gzipped(image_bytes_);
  gz[gz.size() - 4] ^= 1;
  EXPECT_THAT(images_error(gz), HasSubstr("incorrect length check"));
}

// Shrinks to a thousandth, and so is read a piece at a time.
TEST_F(Idx, GzOfBlackImages) {
  Dataset black = data_;
  std::fill(black.images.begin(), black.images.end(), uint8_t{0});
  write_file(images_, gzipped(idx_images_bytes(black)));
  EXPECT_EQ(read_idx_images(images_).bytes, black.images);
}

TEST_F(Idx, MissingFile) {
  EXPECT_THAT(error_of<InputError>([&] { read_idx_images(images_); }),
              AllOf(HasSubstr(images_.string()), HasSubstr("No such file")));
}

TEST_F(Idx, DirectoryInPlaceOfAFile) {
  EXPECT_THAT(error_of<InputError>([&] { read_idx_images(directory_.path()); }),
              AllOf(HasSubstr(directory_.path().string()), HasSubstr("is not a file of data")));
}

TEST_F(Idx, WrongMagicNumber) {
  EXPECT_THAT(images_error("hello, this is no IDX file"),
              AllOf(HasSubstr("wrong magic number: 0x68656c6c"), HasSubstr("0x00000803"),
                    HasSubstr("check that")));
  EXPECT_THAT(images_error(idx_labels_bytes(data_)), HasSubstr("0x00000801"));
  EXPECT_THAT(labels_error(image_bytes_), HasSubstr("0x00000803"));
}

TEST_F(Idx, TruncatedSaysExpectedAndFound) {
  EXPECT_THAT(images_error(""), HasSubstr("truncated: 0 bytes"));
  EXPECT_THAT(images_error(image_bytes_.substr(0, 10)), HasSubstr("truncated: 10 bytes"));
  EXPECT_THAT(images_error(image_bytes_.substr(0, 16)),
              AllOf(HasSubstr("promises 313616 bytes"), HasSubstr("has 16")));
  EXPECT_THAT(images_error(image_bytes_.substr(0, 300'000)),
              AllOf(HasSubstr("promises 313616 bytes"), HasSubstr("has 300000"),
                    HasSubstr("get it again")));
  EXPECT_THAT(images_error(gzipped(image_bytes_.substr(0, 300'000))),
              AllOf(HasSubstr("promises 313616 bytes"), HasSubstr("has 300000")));
}

TEST_F(Idx, TrailingBytes) {
  EXPECT_THAT(images_error(image_bytes_ + "x"), HasSubstr("goes on after the 313616 bytes"));
  EXPECT_THAT(images_error(gzipped(image_bytes_ + "x")), HasSubstr("goes on after"));
}

TEST_F(Idx, CorruptGzGivesZlibsReason) {
  std::string gz = gzipped(image_bytes_);
  gz[20] = static_cast<char>(~gz[20]);
  EXPECT_THAT(images_error(gz), AllOf(HasSubstr("is corrupt"), HasSubstr("invalid")));

  gz = gzipped(image_bytes_);
  gz[gz.size() - 6] ^= 1;  // the check sum at its end
  EXPECT_THAT(images_error(gz), HasSubstr("incorrect data check"));
}

TEST_F(Idx, GzThatEndsEarly) {
  const std::string gz = gzipped(image_bytes_);
  for (const size_t bytes : {size_t{4}, size_t{30}, gz.size() / 2, gz.size() - 8, gz.size() - 1})
    EXPECT_THAT(images_error(gz.substr(0, bytes)), HasSubstr("unexpected end of file")) << bytes;
}

// No byte of a file, wherever it is broken, may do more than throw.
TEST_F(Idx, AnyCorruptByteThrowsOrReads) {
  Dataset repetitive = small_dataset(2);
  for (size_t i = 50; i < repetitive.images.size(); ++i)
    repetitive.images[i] = repetitive.images[i - 50];  // a short .gz
  const std::string whole = gzipped(idx_images_bytes(repetitive));
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string gz = whole;
    gz[i] = static_cast<char>(gz[i] + 85);
    write_file(images_, gz);
    try {
      EXPECT_EQ(read_idx_images(images_).bytes.size(), size_t{2 * kImagePixels}) << i;
    } catch (const InputError&) {
    }
  }
}

TEST_F(Idx, HeaderThatLiesAllocatesNothing) {
  const auto header = idx_images_header(2'000'000, Task{}.image);
  const std::string bytes(header.begin(), header.end());
  EXPECT_THAT(images_error(bytes + "xyz"), HasSubstr("promises 1568000016 bytes, it has 19"));
  EXPECT_THAT(images_error(gzipped(bytes + "xyz")), HasSubstr("it has 19"));
  EXPECT_THAT(labels_error(std::string("\0\0\10\1\0\x0f\xff\xff", 8)), HasSubstr("it has 8"));
}

TEST_F(Idx, ImagesOfAnImpossibleSize) {
  std::string bytes = image_bytes_;
  bytes[10] = 3;
  EXPECT_THAT(images_error(bytes), AllOf(HasSubstr("796x28"), HasSubstr("sides of 1 to 512")));
  bytes[8] = '\xff';
  EXPECT_THAT(images_error(bytes), HasSubstr("sides of 1 to 512"));
}

// Together more than the promise of a set that could be.
TEST_F(Idx, BytesBeyondAnySet) {
  const std::string header("\0\0\x08\x03\0\x1e\x84\x80\0\0\x02\0\0\0\x02\0", 16);
  EXPECT_THAT(images_error(header), HasSubstr("promises 524288000000 bytes; at most 1568000000"));
}

TEST_F(Idx, NoImages) {
  EXPECT_THAT(images_error(idx_images_bytes({})), HasSubstr("has no images"));
  EXPECT_THAT(labels_error(idx_labels_bytes({})), HasSubstr("has no labels"));
}

TEST_F(Idx, CountsThatDiffer) {
  write_file(images_, image_bytes_);
  write_file(labels_, idx_labels_bytes(small_dataset(399)));
  EXPECT_THAT(error_of<InputError>([&] { read_idx_dataset(images_, labels_); }),
              AllOf(HasSubstr(images_.string() + " has 400 images"),
                    HasSubstr(labels_.string() + " has 399 labels"), HasSubstr("take both")));
}

}  // namespace
}  // namespace digitron
