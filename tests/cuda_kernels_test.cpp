// Each kernel by itself, at sizes that do not divide its blocks, against plain loops in double
// precision. Compiled for the stand-in, for the stand-in under ThreadSanitizer, and for a GPU.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "host/reference/reference_ops.h"
#include "host/reference/reference_optimizer.h"
#include "host/shared/dropout.h"
#include "kernels/kernels.h"
#include "tests/cuda_testing.h"
#include "tests/engine_testing.h"
#include "tests/models.h"
#include "tests/on_device.h"

namespace digitron {
namespace {

using testing::is_near;
using testing::OnDevice;
using testing::Random;

constexpr double kTolerance = 1e-6;

std::vector<double> in_double(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

constexpr Augmentation kDistortion{2 * kFixedOne, kFixedOne / 5, kFixedOne / 8, kFixedOne / 6};

class CudaKernels : public testing::CudaTest, public ::testing::WithParamInterface<int> {
 protected:
  const int n_ = GetParam();
  const size_t rows_ = static_cast<size_t>(n_);
  Random random_{static_cast<uint32_t>(n_)};
};

StepState state_at(const Permutation& order, uint32_t position) {
  return {order, position, 7, 2, 5, 0};
}

// MNIST's images, others of rows made of fours, and of rows that are not.
TEST_P(CudaKernels, GatherFollowsTheOrder) {
  for (const Shape& image : {Shape{1, 28, 28}, Shape{3, 6, 8}, Shape{2, 5, 7}}) {
    Task task = coloured_task();
    task.image = image;
    const PixelForm form = pixel_form(task);
    const auto data = testing::random_dataset(n_ + 3, 1, task);
    const Permutation order(5, 2, static_cast<uint32_t>(n_ + 3), true);
    const StepState state = state_at(order, 3);
    OnDevice<StepState> device_state({state});
    OnDevice<uint8_t> images(data->images), all_labels(data->labels), labels(rows_);
    for (const Augmentation& augmentation : {Augmentation{}, kDistortion}) {
      OnDevice<float> x(rows_ * static_cast<size_t>(form.count()));
      ASSERT_EQ(
          gather(x, labels, images, all_labels, device_state, form, augmentation, n_, nullptr),
          cudaSuccess);
      std::vector<uint8_t> exact_labels;
      std::vector<double> exact;
      for (uint32_t row = 0; row < rows_; ++row) {
        const uint32_t index = order(3 + row);
        exact_labels.push_back(data->labels[index]);
        const AffineMap map = draw_map(augmentation, form, state.seed, state.epoch, index);
        for (int p = 0; p < form.count(); ++p) {
          const int channel = p / form.plane();
          const uint8_t* plane = data->images.data() +
                                 size_t{index} * static_cast<size_t>(form.count()) +
                                 channel * form.plane();
          const int at = p % form.plane();
          const int pixel = augmentation.any()
                                ? sample(plane, form, map, at / form.width, at % form.width)
                                : plane[at];
          exact.push_back((pixel / 255.0 - form.mean[channel]) / form.deviation[channel]);
        }
      }
      EXPECT_EQ(labels.values(), exact_labels);
      EXPECT_TRUE(is_near(x.values(), exact, kTolerance)) << form_text(image);
    }
  }
}

// The loss's two passes, gradients in place; far logits too, whose exponentials would overflow.
TEST_P(CudaKernels, SoftmaxCrossEntropyAndAdvance) {
  for (const int classes : {10, 12}) {
    std::vector<float> logits = random_.reals<float>(rows_ * size_t(classes), -4, 4);
    logits[0] = 1000;
    std::vector<uint8_t> labels(rows_);
    for (uint8_t& label : labels) label = static_cast<uint8_t>(random_.between(0, classes - 1));
    OnDevice<uint8_t> device_labels(labels);
    for (const float smoothing : {0.0f, 0.1f}) {
      std::vector<double> exact = in_double(logits);
      int64_t correct = 0;
      const double loss = reference::softmax_cross_entropy(exact.data(), &correct, labels.data(),
                                                           n_, classes, double{smoothing});
      OnDevice<float> dlogits(logits);
      OnDevice<LossSums> partials(loss_partials(n_)), sums(3);
      StepState state = state_at(Permutation(1, 1, 1, false), 10);
      state.slot = 1;
      OnDevice<StepState> device_state({state});
      ASSERT_EQ(softmax_cross_entropy(dlogits, partials, dlogits, device_labels, n_, classes,
                                      smoothing, nullptr),
                cudaSuccess);
      ASSERT_EQ(advance(device_state, sums, partials, loss_partials(n_), n_, nullptr), cudaSuccess);

      EXPECT_TRUE(is_near(dlogits.values(), exact, kTolerance)) << smoothing;
      const LossSums sum = sums.values()[1];
      EXPECT_TRUE(std::abs(sum.loss - loss) <= kTolerance * loss) << smoothing;
      EXPECT_EQ(sum.correct, correct);
      EXPECT_EQ(sum.count, n_);
      EXPECT_EQ(device_state.values()[0].slot, 2u);
      EXPECT_EQ(device_state.values()[0].position, 10u + static_cast<uint32_t>(n_));
    }
  }
}

struct BiasShape {
  int channels, plane;
};
constexpr BiasShape kBiasShapes[] = {{10, 1}, {3, 25}, {2, 784}};

size_t channel_of(size_t i, const BiasShape& shape) {
  return i / static_cast<size_t>(shape.plane) % static_cast<size_t>(shape.channels);
}

TEST_P(CudaKernels, AddBias) {
  for (const BiasShape& shape : kBiasShapes) {
    const size_t count = rows_ * static_cast<size_t>(shape.channels * shape.plane);
    const std::vector<float> before = random_.reals<float>(count);
    const std::vector<float> b = random_.reals<float>(static_cast<size_t>(shape.channels));
    for (const bool relu : {false, true}) {
      OnDevice<float> y(before), device_b(b);
      ASSERT_EQ(add_bias(y, device_b, n_, shape.channels, shape.plane, relu, nullptr), cudaSuccess);
      std::vector<float> exact = before;
      for (size_t i = 0; i < count; ++i) {
        exact[i] += b[channel_of(i, shape)];
        if (relu) exact[i] = std::max(exact[i], 0.0f);
      }
      EXPECT_EQ(y.values(), exact) << shape.plane << ", ReLU " << relu;
    }
  }
}

TEST_P(CudaKernels, BiasGradient) {
  for (const BiasShape& shape : kBiasShapes) {
    const size_t count = rows_ * static_cast<size_t>(shape.channels * shape.plane);
    const std::vector<float> gradient = random_.reals<float>(count, 0, 1);  // no sum cancels
    const std::vector<float> y = random_.reals<float>(count);
    for (const bool relu : {false, true}) {
      OnDevice<float> dy(gradient), device_y(y), db(static_cast<size_t>(shape.channels));
      OnDevice<float> partials(bias_partials(n_, shape.channels, shape.plane));
      ASSERT_EQ(bias_gradient(db, dy, partials, relu ? static_cast<float*>(device_y) : nullptr, n_,
                              shape.channels, shape.plane, nullptr),
                cudaSuccess);
      std::vector<float> exact_dy = gradient;
      std::vector<double> exact_db(static_cast<size_t>(shape.channels));
      for (size_t i = 0; i < count; ++i) {
        if (relu && y[i] <= 0) exact_dy[i] = 0;
        exact_db[channel_of(i, shape)] += exact_dy[i];
      }
      EXPECT_EQ(dy.values(), exact_dy) << shape.plane << ", ReLU " << relu;
      EXPECT_TRUE(is_near(db.values(), exact_db, kTolerance)) << shape.plane << ", ReLU " << relu;
    }
  }
}

TEST_P(CudaKernels, Relu) {
  std::vector<float> values = random_.reals<float>(rows_);
  values[0] = NAN;
  const std::vector<float> gradient = random_.reals<float>(rows_);
  OnDevice<float> x(values), y(rows_), dx(gradient);
  ASSERT_EQ(relu_forward(y, x, rows_, nullptr), cudaSuccess);
  ASSERT_EQ(relu_backward(dx, y, rows_, nullptr), cudaSuccess);
  const std::vector<float> ys = y.values(), dxs = dx.values();
  EXPECT_TRUE(std::isnan(ys[0])) << "a NaN must reach the loss, where it stops the run";
  for (size_t i = 1; i < rows_; ++i) {
    EXPECT_EQ(ys[i], std::max(values[i], 0.0f));
    EXPECT_EQ(dxs[i], values[i] > 0 ? gradient[i] : 0.0f);
  }
}

TEST_P(CudaKernels, EveryOptimizer) {
  const size_t count = 4 * rows_;
  const std::vector<float> w = random_.reals<float>(count);
  const std::vector<float> m = random_.reals<float>(count);
  const std::vector<float> v = random_.reals<float>(count, 0, 1);
  const std::vector<float> a = random_.reals<float>(count);
  const std::vector<float> g = random_.reals<float>(count);
  const StepRates rates{.lr = 0.1f, .step_size = 0.2f, .root_scale = 1.5f, .average_rate = 0.3f};
  StepState state = state_at(Permutation(1, 1, 1, false), 0);
  state.slot = 1;
  OnDevice<StepState> device_state({state});
  OnDevice<StepRates> device_rates({StepRates{}, rates});
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kNesterov,
                                   OptimizerKind::kAdam, OptimizerKind::kAdamW}) {
    Optimizer optimizer;
    optimizer.kind = kind;
    optimizer.weight_decay = 0.01f;
    optimizer.average_decay = 0.5;
    OnDevice<float> dw(w), dm(m), dv(v), da(a), dg(g);
    const FlatBuffers buffers{dw, dm, has_second_moment(kind) ? dv : static_cast<float*>(nullptr),
                              da};
    ASSERT_EQ(optimizer_step(buffers, dg, update_rule(optimizer), device_rates, device_state, count,
                             nullptr),
              cudaSuccess);
    std::vector<double> exact[] = {in_double(w), in_double(m), in_double(v), in_double(a)};
    const std::vector<double> exact_g = in_double(g);
    reference::update(exact[0].data(), exact[1].data(), exact[2].data(), exact[3].data(),
                      exact_g.data(), count, optimizer, rates);
    EXPECT_TRUE(is_near(dw.values(), exact[0], kTolerance)) << static_cast<int>(kind);
    EXPECT_TRUE(is_near(dm.values(), exact[1], kTolerance)) << static_cast<int>(kind);
    EXPECT_TRUE(is_near(dv.values(), exact[2], kTolerance)) << static_cast<int>(kind);
    EXPECT_TRUE(is_near(da.values(), exact[3], kTolerance)) << static_cast<int>(kind);
  }
}

// Equal to host/shared/dropout.h in every bit, into another buffer and in place.
TEST_P(CudaKernels, Dropout) {
  constexpr uint32_t kLayer = 3;
  const StepState state = state_at(Permutation(1, 1, 1, false), 0);
  OnDevice<StepState> device_state({state});
  for (const uint32_t elements : {1u, 3u, 4u, 10u, 84u, 1029u}) {
    const std::vector<float> x = random_.reals<float>(rows_ * elements, 1, 2);
    for (const float probability : {0.0f, 0.4f, 0.9f}) {
      std::vector<float> exact = x;
      for (uint32_t i = 0; i < x.size(); ++i) {
        const uint32_t row = i / elements, element = i % elements;
        const RandomWords words = dropout_words({state.seed, state.step, kLayer},
                                                row * dropout_quads(elements) + element / 4);
        exact[i] *= dropout_factor(words.word[element % 4], probability, 1 / (1 - probability));
      }
      OnDevice<float> device_x(x), y(x.size());
      for (float* to : {static_cast<float*>(y), static_cast<float*>(device_x)}) {
        ASSERT_EQ(dropout(to, device_x, device_state, kLayer, probability, n_,
                          static_cast<int>(elements), nullptr),
                  cudaSuccess);
      }
      EXPECT_EQ(y.values(), exact) << elements << ", " << probability;
      EXPECT_EQ(device_x.values(), exact) << elements << ", " << probability << ", in place";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CudaKernels, ::testing::Values(1, 7, 63, 64, 65, 333));

}  // namespace
}  // namespace digitron
