// What a run's checkpoint does on the run's test set, and what its first layer has learned.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "host/core/dataset.h"
#include "host/core/engine.h"
#include "host/files/run_record.h"
#include "host/report/calibration.h"
#include "host/text/inspect.h"

namespace digitron {

struct WrongImage {
  size_t index;  // in the test set
  int truth;
  int guess;
  double confidence;  // the guess's probability
};

struct Evaluation {
  std::shared_ptr<const Dataset> test;
  Metrics metrics;
  Confusion confusion;
  Calibration calibration{};
  std::vector<WrongImage> wrong;  // most confident first
};

// Of one class, fractions: the share of its images that were recognised, of what was taken for it
// that is it, and their harmonic mean. Nothing where there are no such images.
struct ClassScores {
  std::optional<double> recall, precision, f1;
};
ClassScores class_scores(const Confusion& counts, size_t of);

// The mean over the classes that have one. 0 without images.
double macro_f1(const Confusion& counts);

struct Mistake {
  size_t truth;
  size_t guess;
  int64_t count;
};
// The `most` most frequent ones; equally frequent ones in the order of the digits.
std::vector<Mistake> frequent_mistakes(const Confusion& counts, size_t most);

// One pass forward, on an engine that has its parameters and running statistics; the loss is
// computed from the logits in double. Requires an image at least.
Evaluation evaluate(Engine& engine, std::shared_ptr<const Dataset> test);

// On the CPU. Requires the run's plan and parameters, and an image at least.
Evaluation evaluate_run(const RunRecord& run, std::shared_ptr<const Dataset> test);

// The data sets that runs were trained on, each loaded once, and what checkpoints do on them, each
// evaluated once.
class DataSources {
 public:
  // `source` stands in for what the runs name, unless it is empty.
  explicit DataSources(std::string source) : source_(std::move(source)) {}

  // The run's test set, or why it cannot be had: not there, broken, or another by its checksum.
  using TestSetOrReason = std::variant<std::shared_ptr<const Dataset>, std::string>;
  TestSetOrReason test_set(const RunRecord& run);

  // evaluate_run on the run's test set. The run outlives this.
  const Evaluation& evaluation(const RunRecord& run, const std::shared_ptr<const Dataset>& test);

 private:
  const std::variant<Data, std::string>& load(const std::string& source);

  std::string source_;
  std::map<std::string, std::variant<Data, std::string>> loaded_;
  std::map<const RunRecord*, Evaluation> evaluations_;
};

// A weight of the first layer that looks at the image, as a picture: negative weights blue, zero
// white, positive ones red, the largest of the layer in full colour.
struct WeightPicture {
  std::string png;
  int width = 0;
  int height = 0;
};
struct WeightPictures {
  std::string layer;  // its name
  bool is_convolution = false;
  size_t count = 0;  // how many there are in all; `pictures` has the first of them
  std::vector<WeightPicture> pictures;
};

// Requires the run's plan and parameters. No pictures for a model whose first layer with weights
// does not take images of one channel.
WeightPictures first_layer_pictures(const RunRecord& run, size_t most);

}  // namespace digitron
