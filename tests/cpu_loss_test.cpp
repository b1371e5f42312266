// Softmax cross-entropy of every instruction set against the reference's in double precision.
#include <gtest/gtest.h>

#include <limits>

#include "host/reference/reference_ops.h"
#include "tests/cpu_testing.h"
#include "tests/mnist_form.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::Random;
using testing::transposed;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class CpuLoss : public testing::CpuKernelsTest {
 protected:
  void run(int count, float scale, float smoothing = 0) {
    kernels_.softmax_cross_entropy(dlogits_.data(), losses_.data(), correct_.data(), logits_.data(),
                                   labels_.data(), kClasses, count, scale, smoothing);
  }
  // All lanes alike.
  void set_logits(const std::vector<float>& logits) {
    for (size_t i = 0; i < logits_.size(); ++i) logits_[i] = logits[i / kLanes];
  }
  void set_labels(uint8_t label) { std::fill_n(labels_.data(), kLanes, label); }

  Guarded<float> logits_{kClasses * kLanes};
  Guarded<float> dlogits_{kClasses * kLanes};
  Guarded<float> losses_{kLanes};
  Guarded<uint8_t> correct_{kLanes};
  Guarded<uint8_t> labels_{kLanes};
};

TEST_P(CpuLoss, AgreesWithTheReferenceForEveryCount) {
  Random random(71);
  for (int trial = 0; trial < 64; ++trial) {
    const int count = trial % kLanes + 1;
    const double range = trial < 32 ? 3 : 60;
    for (size_t i = 0; i < logits_.size(); ++i) {
      logits_[i] = static_cast<float>(random.real(-range, range));
    }
    for (size_t i = 0; i < kLanes; ++i) labels_[i] = static_cast<uint8_t>(random.between(0, 9));
    losses_ = Guarded<float>(kLanes);
    correct_ = Guarded<uint8_t>(kLanes);
    const float smoothing = trial % 2 == 0 ? 0.0f : 0.1f;
    run(count, 1.0f / static_cast<float>(count), smoothing);

    std::vector<double> expected = transposed(logits_.values(), kClasses);
    for (size_t n = 0; n < size_t(count); ++n) {
      int64_t correct = 0;
      const double loss = reference::softmax_cross_entropy(
          &expected[n * kClasses], &correct, labels_.data() + n, 1, kClasses, double(smoothing));
      EXPECT_TRUE(std::abs(losses_[n] - loss) <= 2e-6 * (1 + loss));
      EXPECT_EQ(correct_[n], correct);
      for (size_t c = 0; c < kClasses; ++c) expected[n * kClasses + c] /= count;
    }
    for (size_t n = size_t(count); n < kLanes; ++n) {
      for (size_t c = 0; c < kClasses; ++c) {
        EXPECT_EQ(dlogits_[c * kLanes + n], 0.0f);
        expected[n * kClasses + c] = 0;
      }
      EXPECT_TRUE(losses_.is_guard(losses_[n]) && correct_.is_guard(correct_[n]));
    }
    EXPECT_TRUE(is_near(transposed(dlogits_.values(), kClasses), expected, 1e-6));
    EXPECT_TRUE(dlogits_.intact() && losses_.intact() && correct_.intact());
  }
}

TEST_P(CpuLoss, WithoutGradient) {
  set_logits({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  set_labels(9);
  kernels_.softmax_cross_entropy(nullptr, losses_.data(), correct_.data(), logits_.data(),
                                 labels_.data(), kClasses, kLanes, 0.0f, 0.0f);
  for (size_t n = 0; n < kLanes; ++n) {
    EXPECT_TRUE(std::abs(losses_[n] - 0.458630) <= 1e-6);
    EXPECT_EQ(correct_[n], 1);
  }
}

TEST_P(CpuLoss, EqualLogitsTakeTheFirst) {
  set_logits(std::vector<float>(kClasses, 7.0f));
  set_labels(1);
  labels_[3] = 0;
  run(kLanes, 1.0f);
  for (size_t n = 0; n < kLanes; ++n) {
    EXPECT_TRUE(std::abs(losses_[n] - std::log(10.0)) <= 1e-6);
    EXPECT_EQ(correct_[n], n == 3);
    EXPECT_TRUE(std::abs(dlogits_[5 * kLanes + n] - 0.1) <= 1e-7);
  }
}

TEST_P(CpuLoss, ExtremeLogits) {
  std::vector<float> logits(kClasses, -1e30f);
  logits[4] = 1e30f;
  set_logits(logits);
  set_labels(4);
  labels_[0] = 5;
  run(kLanes, 1.0f);
  EXPECT_TRUE(std::abs(losses_[0] / 2e30f - 1) <= 1e-6);
  EXPECT_TRUE(std::abs(dlogits_[4 * kLanes] - 1) <= 1e-6);
  EXPECT_TRUE(std::abs(dlogits_[5 * kLanes] + 1) <= 1e-6);
  for (size_t n = 1; n < kLanes; ++n) {
    EXPECT_TRUE(losses_[n] >= 0 && losses_[n] <= 1e-6);
    for (size_t c = 0; c < kClasses; ++c) EXPECT_TRUE(std::abs(dlogits_[c * kLanes + n]) <= 1e-6);
  }
}

// They would slow down the way back: a probability of e^-87 is a normal number, its 64th is not.
TEST_P(CpuLoss, GradientsAreNeverSubnormal) {
  std::vector<float> logits(kClasses, 0.0f);
  logits[4] = 86.0f;
  logits[5] = -4.0f;
  set_logits(logits);
  set_labels(4);
  for (const float scale : {1.0f, 1.0f / 64}) {
    run(kLanes, scale);
    for (const size_t c : {size_t{0}, size_t{5}}) {
      const float p = std::exp(std::max(logits[c] - logits[4], -87.0f));
      const float expected = scale == 1.0f ? p : 0.0f;
      EXPECT_TRUE(std::abs(dlogits_[c * kLanes] - expected) <= 1e-6f * p) << c << ' ' << scale;
    }
  }
}

// A diverged run must show, wherever among the logits it begins.
TEST_P(CpuLoss, NanAndInfinityAreSeen) {
  for (const float bad : {kNan, kInfinity}) {
    for (size_t at = 0; at < kClasses; ++at) {
      std::vector<float> logits(kClasses, 0.5f);
      logits[at] = bad;
      set_logits(logits);
      set_labels(2);
      run(kLanes, 1.0f);
      for (size_t n = 0; n < kLanes; ++n) EXPECT_FALSE(std::isfinite(losses_[n])) << bad << at;
    }
  }
  set_logits({0, 0, -kInfinity, 0, 0, 0, 0, 0, 0, 0});
  run(kLanes, 1.0f);
  EXPECT_FALSE(std::isfinite(losses_[0]));
}

// One sample's misfortune is not its neighbours'.
TEST_P(CpuLoss, LanesAreIndependent) {
  set_logits(std::vector<float>(kClasses, 0.0f));
  set_labels(2);
  logits_[7] = kNan;
  run(kLanes, 1.0f);
  for (size_t n = 0; n < kLanes; ++n) EXPECT_EQ(std::isnan(losses_[n]), n == 7) << n;
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuLoss, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
