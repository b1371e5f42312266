#include "host/core/views.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>

namespace digitron {

namespace {

// Images of which there is a view in memory at once.
constexpr size_t kTogether = 1000;

class ViewsEngine final : public Engine {
 public:
  explicit ViewsEngine(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  const Plan& plan() const override { return engine_->plan(); }
  EngineDescription describe() const override { return engine_->describe(); }

  void load(std::shared_ptr<const Dataset> train,
            std::shared_ptr<const Dataset> held_out) override {
    train_ = train;
    held_out_ = held_out;
    engine_->load(std::move(train), std::move(held_out));
  }

  void configure(const Training& training) override { engine_->configure(training); }
  const Training& training() const override { return engine_->training(); }
  void set_state(State which, std::span<const float> values) override {
    engine_->set_state(which, values);
  }
  std::vector<float> state(State which) const override { return engine_->state(which); }

  std::vector<Metrics> train(int epoch, int first, std::span<const StepRates> rates) override {
    evaluated_ = false;
    return engine_->train(epoch, first, rates);
  }
  Profile profile(int epoch, int first, std::span<const StepRates> rates, bool trace) override {
    evaluated_ = false;
    return engine_->profile(epoch, first, rates, trace);
  }
  // The inner engine has timed no evaluation.
  Timing timing() const override { return evaluated_ ? Timing{} : engine_->timing(); }

  Metrics evaluate(Split split) override {
    evaluated_ = true;
    const Dataset& data = split == Split::kTrain ? *train_ : *held_out_;
    const std::vector<float> logits = predict(data.images);
    const auto classes = static_cast<size_t>(plan().classes());
    Metrics metrics;
    for (size_t i = 0; i < data.labels.size(); ++i) {
      const auto row = std::span(logits).subspan(i * classes, classes);
      const auto guess =
          static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
      metrics += {cross_entropy(row, data.labels[i]), guess == data.labels[i] ? 1 : 0, 1};
    }
    return metrics;
  }

  std::vector<float> predict(std::span<const uint8_t> images) override {
    std::vector<float> logits;
    const size_t pieces = kTogether * plan().pixels();
    for (size_t at = 0; at < images.size(); at += pieces) {
      const std::vector<float> piece =
          predict_piece(images.subspan(at, std::min(pieces, images.size() - at)));
      logits.insert(logits.end(), piece.begin(), piece.end());
    }
    return logits;
  }

 private:
  std::vector<float> predict_piece(std::span<const uint8_t> images) {
    const Model& model = plan().model;
    std::vector<float> sums;
    for (const View view : std::span(kViews).first(static_cast<size_t>(model.views))) {
      const std::vector<float> logits = engine_->predict(view_of(images, model.task.image, view));
      sums.resize(logits.size());
      std::transform(sums.begin(), sums.end(), logits.begin(), sums.begin(), std::plus());
    }
    for (float& sum : sums) sum /= static_cast<float>(model.views);
    return sums;
  }

  std::unique_ptr<Engine> engine_;
  std::shared_ptr<const Dataset> train_, held_out_;
  bool evaluated_ = false;  // and not trained since
};

}  // namespace

std::vector<uint8_t> view_of(std::span<const uint8_t> images, const Shape& image, View view) {
  std::vector<uint8_t> moved(images.size());
  const int columns = image.width - std::abs(view.right);
  if (columns <= 0) return moved;
  const int left = std::max(view.right, 0);
  const auto row = static_cast<size_t>(image.width);
  const auto plane = static_cast<size_t>(image.plane());
  for (size_t at = 0; at < images.size(); at += plane)
    for (int y = 0; y < image.height; ++y) {
      const int from = y - view.down;
      if (from < 0 || from >= image.height) continue;
      std::copy_n(images.data() + at + static_cast<size_t>(from) * row +
                      static_cast<size_t>(left - view.right),
                  columns, moved.data() + at + static_cast<size_t>(y) * row + left);
    }
  return moved;
}

std::unique_ptr<Engine> with_views(std::unique_ptr<Engine> engine) {
  if (engine->plan().model.views == 1) return engine;
  return std::make_unique<ViewsEngine>(std::move(engine));
}

}  // namespace digitron
