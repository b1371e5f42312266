#include "host/data/synthetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "host/core/model.h"
#include "tests/mnist_form.h"

namespace digitron {
namespace {

constexpr int kTrain = 5000;
constexpr int kTest = 1000;

TEST(Synthetic, IsAFunctionOfSeedSplitAndIndex) {
  const Dataset a = synthetic_digits(7, Split::kTrain, 200);
  const Dataset b = synthetic_digits(7, Split::kTrain, 200);
  EXPECT_EQ(a.images, b.images);
  EXPECT_EQ(a.labels, b.labels);

  // Other ranges, hence other threads, give the same images.
  const Dataset fewer = synthetic_digits(7, Split::kTrain, 67);
  EXPECT_TRUE(std::equal(fewer.images.begin(), fewer.images.end(), a.images.begin()));
  EXPECT_TRUE(std::equal(fewer.labels.begin(), fewer.labels.end(), a.labels.begin()));
}

TEST(Synthetic, SeedsAndSplitsDiffer) {
  const Dataset a = synthetic_digits(7, Split::kTrain, 200);
  EXPECT_NE(a.labels, synthetic_digits(8, Split::kTrain, 200).labels);
  EXPECT_NE(a.labels, synthetic_digits(7, Split::kHeldOut, 200).labels);
  EXPECT_NE(a.images, synthetic_digits(8, Split::kTrain, 200).images);
  EXPECT_NE(a.images, synthetic_digits(7, Split::kHeldOut, 200).images);
}

TEST(Synthetic, NoImageTwice) {
  const Dataset data = synthetic_digits(1, Split::kTrain, 2000);
  std::set<std::string> images;
  for (int i = 0; i < data.count(); ++i) {
    const auto begin = data.images.begin() + ptrdiff_t{i} * kImagePixels;
    images.emplace(begin, begin + kImagePixels);
  }
  EXPECT_EQ(images.size(), 2000u);
}

TEST(Synthetic, LabelsAreBalanced) {
  const Dataset data = synthetic_digits(1, Split::kTrain, kTrain);
  std::array<int, kClasses> counts{};
  for (const uint8_t label : data.labels) ++counts.at(label);
  for (const int count : counts) {  // 500 expected, with a deviation of 21
    EXPECT_GT(count, 400);
    EXPECT_LT(count, 600);
  }
}

TEST(Synthetic, PixelsLookLikeMnists) {
  const Dataset data = synthetic_digits(1, Split::kTrain, kTrain);
  double mean = 0;
  for (const uint8_t pixel : data.images) mean += pixel / 255.0;
  mean /= static_cast<double>(data.images.size());
  EXPECT_TRUE(mean >= 0.08 && mean <= 0.20) << mean;  // MNIST's is 0.13
  for (int i = 0; i < data.count(); ++i) {
    const auto begin = data.images.begin() + ptrdiff_t{i} * kImagePixels;
    ASSERT_GT(*std::max_element(begin, begin + kImagePixels), 120) << i;
  }
}

// The share of test digits whose nearest class mean is their own class's.
double nearest_mean_accuracy(const Dataset& train, const Dataset& test) {
  std::vector<std::vector<double>> means(kClasses, std::vector<double>(kImagePixels, 0));
  std::array<int, kClasses> counts{};
  for (int i = 0; i < train.count(); ++i) ++counts.at(train.labels[static_cast<size_t>(i)]);
  for (size_t i = 0; i < train.images.size(); ++i) {
    const uint8_t label = train.labels[i / kImagePixels];
    means[label][i % kImagePixels] += static_cast<double>(train.images[i]) / counts.at(label);
  }
  int correct = 0;
  for (size_t i = 0; i < test.labels.size(); ++i) {
    std::array<double, kClasses> distance{};
    for (size_t label = 0; label < kClasses; ++label)
      for (size_t pixel = 0; pixel < kImagePixels; ++pixel) {
        const double d = test.images[i * kImagePixels + pixel] - means[label][pixel];
        distance[label] += d * d;
      }
    const auto nearest = std::min_element(distance.begin(), distance.end()) - distance.begin();
    correct += nearest == test.labels[i];
  }
  return static_cast<double>(correct) / test.count();
}

TEST(Synthetic, CanBeLearntButNotByClassMeans) {
  const double accuracy = nearest_mean_accuracy(synthetic_digits(1, Split::kTrain, kTrain),
                                                synthetic_digits(1, Split::kHeldOut, kTest));
  EXPECT_TRUE(accuracy >= 0.4 && accuracy <= 0.9) << accuracy;
}

}  // namespace
}  // namespace digitron
