#include "host/data/data.h"

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <optional>
#include <sstream>

#include "host/core/error.h"
#include "host/data/png_image.h"
#include "host/data/sha256.h"
#include "host/data/synthetic.h"
#include "tests/data_testing.h"
#include "tests/idx_files.h"
#include "tests/mnist_form.h"
#include "tests/png_files.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using testing::error_of;
using testing::gzipped;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::small_dataset;
using testing::TemporaryDirectory;
using testing::write_file;
using testing::write_idx_directory;

std::string sha256_of(const std::string& bytes) {
  return sha256_hex({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

void write_png_folder(const std::filesystem::path& folder, const Dataset& data) {
  std::filesystem::create_directories(folder);
  for (int i = 0; i < data.count(); ++i) {
    const std::string label = std::to_string(data.labels[static_cast<size_t>(i)]);
    write_png_grey(
        folder / (std::to_string(i) + "_" + label + ".png"), kImageSide, kImageSide,
        std::span(data.images).subspan(static_cast<size_t>(i) * kImagePixels, kImagePixels));
  }
}

// What knows these sets by the sums of their contents.
KnownDataset known(const std::string& word, const std::string& name,
                   const std::vector<std::filesystem::path>& directories,
                   const std::vector<std::string>& mirrors, const Dataset& train,
                   const Dataset& test) {
  KnownDataset made = known_datasets().front();
  made.word = word;
  made.name = name;
  made.directories = directories;
  made.mirrors = mirrors;
  made.files[0].sha256 = sha256_of(testing::idx_images_bytes(train));
  made.files[1].sha256 = sha256_of(testing::idx_labels_bytes(train));
  made.files[2].sha256 = sha256_of(testing::idx_images_bytes(test));
  made.files[3].sha256 = sha256_of(testing::idx_labels_bytes(test));
  return made;
}

// A search among temporary folders, in which the small data set plays MNIST's part.
class DataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv("DIGITRON_DATA")) variable_ = value;
    unsetenv("DIGITRON_DATA");
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_)));
  }
  void TearDown() override {
    unsetenv("DIGITRON_DATA");
    if (variable_) setenv("DIGITRON_DATA", variable_->c_str(), 1);
    spdlog::set_default_logger(logger_);
  }

  Data load(const std::string& source) { return load_data(source, options_); }

  void expect_small(const Data& data) {
    EXPECT_EQ(data.train->images, train_.images);
    EXPECT_EQ(data.train->labels, train_.labels);
    EXPECT_EQ(data.test->images, test_.images);
    EXPECT_EQ(data.test->labels, test_.labels);
    EXPECT_EQ(data.sha256, options_.known[0].files[0].sha256);
    EXPECT_TRUE(data.is_mnist());
    EXPECT_EQ(data.description, "MNIST from " + data.source);
  }

  void expect_synthetic(const Data& data) {
    EXPECT_EQ(data.source, "synthetic");
    EXPECT_THAT(data.description, HasSubstr("not MNIST"));
    EXPECT_FALSE(data.is_mnist());
    EXPECT_EQ(data.train->count(), kSyntheticTrainCount);
    EXPECT_EQ(data.test->count(), kSyntheticTestCount);
  }

  std::vector<std::string> mirrors() const {
    return {"file://" + (directory_ / "no-mirror").string(), "file://" + mirror_.string()};
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path first_ = directory_ / "first";
  const std::filesystem::path second_ = directory_ / "second";
  const std::filesystem::path mirror_ = directory_ / "mirror";
  const Dataset train_ = small_dataset(30);
  const Dataset test_ = small_dataset(20, 100);
  const SearchOptions options_{
      {known("mnist", "MNIST", {first_, second_}, mirrors(), train_, test_)}};
  std::ostringstream log_;

 private:
  std::optional<std::string> variable_;
  const std::shared_ptr<spdlog::logger> logger_ = spdlog::default_logger();
};

TEST_F(DataTest, NamedDirectoryPlainAndGz) {
  for (const std::string suffix : {"", ".gz"}) {
    write_idx_directory(directory_ / ("idx" + suffix), train_, test_, suffix);
    const Data data = load((directory_ / ("idx" + suffix)).string());
    EXPECT_EQ(data.source, (directory_ / ("idx" + suffix)).string());
    expect_small(data);
  }
}

TEST_F(DataTest, OtherSpelling) {
  write_file(first_ / "train-images.idx3-ubyte", testing::idx_images_bytes(train_));
  write_file(first_ / "train-labels.idx1-ubyte", testing::idx_labels_bytes(train_));
  write_file(first_ / "t10k-images.idx3-ubyte.gz", gzipped(testing::idx_images_bytes(test_)));
  write_file(first_ / "t10k-labels.idx1-ubyte", testing::idx_labels_bytes(test_));
  expect_small(load(first_.string()));
}

TEST_F(DataTest, PngFolders) {
  write_png_folder(first_ / "train", train_);
  write_png_folder(first_ / "test", test_);
  expect_small(load(first_.string()));
}

TEST_F(DataTest, TestSetAlone) {
  write_idx_directory(first_, train_, test_, ".gz");
  std::filesystem::remove(first_ / "train-images-idx3-ubyte.gz");
  write_file(first_ / "train-labels-idx1-ubyte.gz", "broken, which nobody needs to know");
  for (const std::string& source : {first_.string(), std::string()}) {
    const Data data = load_test_set(source, options_);
    EXPECT_EQ(data.train, nullptr);
    EXPECT_EQ(data.sha256, "");
    EXPECT_EQ(data.test->images, test_.images);
    EXPECT_EQ(data.test->labels, test_.labels);
    EXPECT_TRUE(data.is_mnist());
    EXPECT_EQ(data.description, "MNIST from " + first_.string());
  }
  write_png_folder(second_ / "test", small_dataset(20, 3));
  EXPECT_FALSE(load_test_set(second_.string(), options_).is_mnist());
  EXPECT_THAT(error_of<InputError>([&] { load(first_.string()); }),
              HasSubstr("train-images-idx3-ubyte is missing"));
}

TEST_F(DataTest, OtherImagesAreFineAndSaidNotToBeMnist) {
  write_idx_directory(first_, train_, small_dataset(20, 3));
  const Data data = load(first_.string());
  EXPECT_FALSE(data.is_mnist());
  EXPECT_THAT(data.description,
              AllOf(HasSubstr(first_.string()), HasSubstr("no data set that is known")));
}

TEST_F(DataTest, AWordFindsItsDirectoryOrDownloads) {
  write_idx_directory(mirror_, train_, test_, ".gz");
  const Data data = load("mnist");
  EXPECT_EQ(data.source, first_.string());
  expect_small(data);
  EXPECT_EQ(data.task, Task{});
  std::filesystem::remove_all(mirror_);
  write_idx_directory(second_, train_, test_);
  std::filesystem::remove_all(first_);
  EXPECT_EQ(load("mnist").source, second_.string());
  setenv("DIGITRON_DATA", "mnist", 1);
  EXPECT_EQ(load("").source, second_.string());
}

TEST_F(DataTest, AWordTakesNothingElse) {
  write_idx_directory(second_, train_, small_dataset(20, 3));
  EXPECT_THAT(error_of<InputError>([&] { load("mnist"); }),
              AllOf(HasSubstr(second_.string() + " does not hold MNIST, by its check sums"),
                    HasSubstr("remove it")));
  std::filesystem::remove_all(second_);
  EXPECT_THAT(error_of<MachineError>([&] { load("mnist"); }), HasSubstr("cannot download"));
}

// Of the .gz files where those are what is known.
TEST_F(DataTest, KnownByTheSumsOfItsArchives) {
  write_idx_directory(first_, train_, test_, ".gz");
  SearchOptions options = options_;
  for (KnownFile& file : options.known[0].files) {
    file.sha256 = sha256_of(testing::read_file(first_ / (file.name + ".gz")));
    file.of = KnownFile::Sum::kGz;
  }
  options.known[0].deviation = 0;  // measured
  const Data data = load_data(first_.string(), options);
  EXPECT_EQ(data.name, "MNIST");
  EXPECT_NE(data.task.mean, Task{}.mean);
  EXPECT_THAT(error_of<MachineError>([&] {
                options.known[0].directories = {second_};
                options.known[0].mirrors = {"file://" + first_.string()};
                options.known[0].files[0].sha256[0] ^= 1;
                load_data("mnist", options);
              }),
              HasSubstr("wrong SHA-256"));
}

TEST_F(DataTest, AnUnknownSetIsMeasured) {
  Dataset train, test;
  for (int i = 0; i < 12; ++i) {  // half black, half at 102, which is 0.4
    train.labels.push_back(static_cast<uint8_t>(i));
    for (int pixel = 0; pixel < 12; ++pixel) train.images.push_back(pixel % 2 == 0 ? 0 : 102);
  }
  test.labels = {13};
  test.images.assign(12, 9);
  const Shape image{1, 3, 4};
  write_file(first_ / "train-images-idx3-ubyte", testing::idx_images_bytes(train, image));
  write_file(first_ / "train-labels-idx1-ubyte", testing::idx_labels_bytes(train));
  write_file(first_ / "t10k-images-idx3-ubyte", testing::idx_images_bytes(test, image));
  write_file(first_ / "t10k-labels-idx1-ubyte", testing::idx_labels_bytes(test));
  const Data data = load(first_.string());
  EXPECT_EQ(data.name, "");
  EXPECT_EQ(data.task, (Task{image, numbered_classes(14), {0.2f}, {0.2f}}));
  EXPECT_THAT(data.description, HasSubstr("3x4 in 14 classes"));

  write_file(first_ / "t10k-images-idx3-ubyte", testing::idx_images_bytes(test, {1, 4, 3}));
  EXPECT_THAT(error_of<InputError>([&] { load(first_.string()); }),
              AllOf(HasSubstr("training images of 3x4"), HasSubstr("test images of 4x3")));
}

TEST_F(DataTest, CifarsBinaryFiles) {
  const auto record = [](int label, char red) {
    return std::string(1, static_cast<char>(label)) + std::string(1024, red) +
           std::string(2048, '\0');
  };
  write_file(first_ / "data_batch_1.bin", record(3, 'a') + record(9, 'b'));
  write_file(first_ / "data_batch_2.bin", record(0, 'c'));
  write_file(first_ / "test_batch.bin", record(1, 'd'));
  const Data data = load(first_.string());
  EXPECT_EQ(data.train->labels, (std::vector<uint8_t>{3, 9, 0}));
  EXPECT_EQ(data.train->images[3072 + 1023], 'b');
  EXPECT_EQ(data.train->images[3072 + 1024], 0);
  EXPECT_EQ(data.test->count(), 1);
  EXPECT_EQ(data.task.image, (Shape{3, 32, 32}));
  EXPECT_EQ(data.task.classes[1], "automobile");
  EXPECT_EQ(data.task.deviation[1], 1.0f);  // without contrast

  write_file(first_ / "data_batch_2.bin", record(0, 'c').substr(0, 1500));
  EXPECT_THAT(error_of<InputError>([&] { load(first_.string()); }),
              AllOf(HasSubstr("data_batch_2.bin has 1500 bytes, not whole records of 3073"),
                    HasSubstr("get it again")));
  write_file(first_ / "data_batch_2.bin", record(10, 'c'));
  EXPECT_THAT(error_of<InputError>([&] { load(first_.string()); }),
              HasSubstr("has label 10 in record 0"));
  std::filesystem::remove(first_ / "test_batch.bin");
  EXPECT_THAT(error_of<InputError>([&] { load_test_set(first_.string(), options_); }),
              HasSubstr("test_batch.bin is missing"));
}

TEST_F(DataTest, NamedDirectoryIsMissing) {
  write_idx_directory(first_, train_, test_);  // which the search would find
  const std::string missing = (directory_ / "missing").string();
  EXPECT_THAT(error_of<InputError>([&] { load(missing); }),
              AllOf(HasSubstr("no data directory " + missing), HasSubstr("give --data")));
  setenv("DIGITRON_DATA", missing.c_str(), 1);
  EXPECT_THAT(error_of<InputError>([&] { load(""); }),
              AllOf(HasSubstr("no data directory " + missing), HasSubstr("$DIGITRON_DATA")));
}

TEST_F(DataTest, NamedDirectoryWithoutDataListsWhatItLookedFor) {
  EXPECT_THAT(error_of<InputError>([&] { load(directory_.path().string()); }),
              AllOf(HasSubstr(directory_.path().string()), HasSubstr("train-images-idx3-ubyte"),
                    HasSubstr("t10k-labels-idx1-ubyte"), HasSubstr("{number}_{label}.png")));
}

TEST_F(DataTest, OneFileIsMissing) {
  write_idx_directory(first_, train_, test_);
  std::filesystem::remove(first_ / "t10k-labels-idx1-ubyte");
  EXPECT_THAT(
      error_of<InputError>([&] { load(first_.string()); }),
      AllOf(HasSubstr((first_ / "t10k-labels-idx1-ubyte").string()), HasSubstr("is missing")));
}

TEST_F(DataTest, OnePngFolderIsMissing) {
  write_png_folder(first_ / "train", train_);
  EXPECT_THAT(error_of<InputError>([&] { load(first_.string()); }),
              HasSubstr((first_ / "test").string()));
}

TEST_F(DataTest, BrokenTestSetIsSeenToo) {
  write_idx_directory(first_, train_, test_);
  std::filesystem::resize_file(first_ / "t10k-images-idx3-ubyte", 1000);
  EXPECT_THAT(error_of<InputError>([&] { load(first_.string()); }),
              AllOf(HasSubstr("t10k-images-idx3-ubyte"), HasSubstr("truncated")));
}

TEST_F(DataTest, SearchTakesTheVariableThenTheDirectoriesInOrder) {
  write_idx_directory(second_, train_, test_);
  EXPECT_EQ(load("").source, second_.string());
  std::filesystem::create_directories(first_);  // empty: absent
  EXPECT_EQ(load("").source, second_.string());
  write_idx_directory(first_, train_, test_);
  EXPECT_EQ(load("").source, first_.string());
  write_idx_directory(directory_ / "variable", train_, test_);
  setenv("DIGITRON_DATA", (directory_ / "variable").c_str(), 1);
  EXPECT_EQ(load("").source, (directory_ / "variable").string());
  EXPECT_EQ(load(second_.string()).source, second_.string());
}

TEST_F(DataTest, SearchStopsAtABrokenDirectory) {
  write_idx_directory(first_, train_, test_);
  write_idx_directory(second_, train_, test_);
  write_file(first_ / "train-labels-idx1-ubyte", "broken");
  EXPECT_THAT(error_of<InputError>([&] { load(""); }),
              HasSubstr((first_ / "train-labels-idx1-ubyte").string()));
}

TEST_F(DataTest, SearchDownloads) {
  write_idx_directory(mirror_, train_, test_, ".gz");
  const Data data = load("");
  EXPECT_EQ(data.source, first_.string());
  expect_small(data);
  EXPECT_THAT(log_.str(), Not(HasSubstr("warning")));

  std::filesystem::remove_all(mirror_);  // and finds it the next time
  expect_small(load(""));
}

TEST_F(DataTest, SearchFallsToSyntheticWithWarnings) {
  const Data data = load("");
  expect_synthetic(data);
  EXPECT_THAT(log_.str(), AllOf(HasSubstr("MNIST was not downloaded"), HasSubstr("NOT MNIST")));
  EXPECT_FALSE(std::filesystem::exists(first_));
}

TEST_F(DataTest, SyntheticByName) {
  const Data data = load("synthetic");
  expect_synthetic(data);
  EXPECT_EQ(data.sha256, sha256_of(testing::idx_images_bytes(*data.train)));
  const Dataset other = synthetic_digits(2, Split::kTrain, kSyntheticTrainCount);
  EXPECT_NE(data.sha256, sha256_of(testing::idx_images_bytes(other)));
  setenv("DIGITRON_DATA", "synthetic", 1);
  EXPECT_EQ(load("").sha256, data.sha256);
}

// The real files, where a machine has them: beside the sources, or where $DIGITRON_DATA says.
TEST(RealMnist, IsRecognisedByItsSums) {
  const char* const variable = std::getenv("DIGITRON_DATA");
  const std::filesystem::path beside =
      std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "shared" /
      "mnist";
  const std::string directory = variable != nullptr ? variable : beside.string();
  if (!std::filesystem::is_directory(directory)) GTEST_SKIP() << "no MNIST at " << directory;
  const Data data = load_data(directory);
  EXPECT_TRUE(data.is_mnist());
  EXPECT_EQ(data.train->count(), 60'000);
  EXPECT_EQ(data.test->count(), 10'000);
  EXPECT_EQ(data.train->labels[0], 5);
  EXPECT_EQ(data.test->labels[0], 7);
}

}  // namespace
}  // namespace digitron
