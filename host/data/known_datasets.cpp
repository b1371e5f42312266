#include "host/data/known_datasets.h"

#include <algorithm>

namespace digitron {

namespace {

using Sum = KnownFile::Sum;

KnownDataset mnist() {
  const Task digits;
  return {"mnist",
          "MNIST",
          {{{"train-images-idx3-ubyte",
             "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"},
            {"train-labels-idx1-ubyte",
             "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
            {"t10k-images-idx3-ubyte",
             "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"},
            {"t10k-labels-idx1-ubyte",
             "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"}}},
          {"https://ossci-datasets.s3.amazonaws.com/mnist",
           "https://storage.googleapis.com/cvdf-datasets/mnist"},
          {"data/mnist", "../shared/mnist"},
          digits.classes,
          digits.mean[0],
          digits.deviation[0]};
}

KnownDataset fashion_mnist() {
  return {"fashion-mnist",
          "Fashion-MNIST",
          {{{"train-images-idx3-ubyte",
             "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
            {"train-labels-idx1-ubyte",
             "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
            {"t10k-images-idx3-ubyte",
             "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
            {"t10k-labels-idx1-ubyte",
             "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"}}},
          {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"},
          {"data/fashion-mnist",
           "/usr/share/datasets/fashion-mnist"},  // Debian's dataset-fashion-mnist
          {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
           "Bag", "Ankle boot"},
          0.2860f,
          0.3530f};
}

// Of these two the sums of the .gz files are published.
KnownDataset kmnist() {
  return {"kmnist",
          "KMNIST",
          {{{"train-images-idx3-ubyte",
             "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4", Sum::kGz},
            {"train-labels-idx1-ubyte",
             "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17", Sum::kGz},
            {"t10k-images-idx3-ubyte",
             "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5", Sum::kGz},
            {"t10k-labels-idx1-ubyte",
             "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c", Sum::kGz}}},
          {"https://codh.rois.ac.jp/kmnist/dataset/kmnist",
           "http://codh.rois.ac.jp/kmnist/dataset/kmnist"},
          {"data/kmnist"},
          {"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"}};
}

KnownDataset qmnist() {
  return {"qmnist",
          "QMNIST",
          {{{"qmnist-train-images-idx3-ubyte",
             "9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d", Sum::kGz},
            {"qmnist-train-labels-idx2-int",
             "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f", Sum::kGz},
            {"qmnist-test-images-idx3-ubyte",
             "43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375", Sum::kGz},
            {"qmnist-test-labels-idx2-int",
             "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06", Sum::kGz}}},
          {"https://raw.githubusercontent.com/facebookresearch/qmnist/master"},
          {"data/qmnist"},
          Task{}.classes};
}

}  // namespace

const std::vector<KnownDataset>& known_datasets() {
  static const std::vector<KnownDataset> all{mnist(), fashion_mnist(), kmnist(), qmnist()};
  return all;
}

const KnownDataset* find_dataset(std::string_view word) {
  const std::vector<KnownDataset>& all = known_datasets();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const KnownDataset& known) { return known.word == word; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace digitron
