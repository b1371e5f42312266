#include "host/reference/reference_ops.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "host/core/plan.h"
#include "tests/engine_testing.h"
#include "tests/mnist_form.h"

namespace digitron {
namespace {

using testing::is_near;
using testing::Random;
using Values = std::vector<double>;

double dot(const Values& a, const Values& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// d f / d x by central differences, x being what f reads.
Values differences(Values& x, const std::function<double()>& f) {
  constexpr double kStep = 1e-6;
  Values result;
  for (double& value : x) {
    const double at = value;
    value = at + kStep;
    const double above = f();
    value = at - kStep;
    const double below = f();
    value = at;
    result.push_back((above - below) / (2 * kStep));
  }
  return result;
}

constexpr double kReferenceTolerance = 1e-8;

// Forward by hand: the conventions that a consistent pair of forward and backward could both miss.
TEST(ReferenceConv, IsACrossCorrelation) {
  const Values x{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Values w{1, 2, 3, 4, 10, 20, 30, 40};  // (2, 1, 2, 2)
  const Values b{0.5, -1};
  Values y(8);
  reference::conv_forward(y.data(), x.data(), w.data(), b.data(), {2, 2}, {1, 3, 3}, {2, 2, 2}, 1);
  EXPECT_EQ(y, (Values{37.5, 47.5, 67.5, 77.5, 369, 469, 669, 769}));
  // Stride 2 and a border of zeros: the corners.
  reference::conv_forward(y.data(), x.data(), w.data(), b.data(), {2, 2, 2, 1}, {1, 3, 3},
                          {2, 2, 2}, 1);
  EXPECT_EQ(y, (Values{4.5, 18.5, 36.5, 77.5, 39, 179, 359, 769}));
}

TEST(ReferenceConv, SumsOverInputChannels) {
  const Values x{1, 2, 3, 5};  // (2 samples, 2 channels)
  const Values w{7, 11};       // (1, 2, 1, 1)
  const Values b{0};
  Values y(2);
  reference::conv_forward(y.data(), x.data(), w.data(), b.data(), {1, 1}, {2, 1, 1}, {1, 1, 1}, 2);
  EXPECT_EQ(y, (Values{29, 76}));
}

TEST(ReferenceConv, BackwardAgreesWithDifferences) {
  Random random(31);
  for (int trial = 0; trial < 40; ++trial) {
    const int n = random.between(1, 3);
    const Shape in{random.between(1, 3), random.between(1, 7), random.between(1, 7)};
    Conv2d conv{random.between(1, 3), 1, random.between(1, 3), random.between(0, 2)};
    conv.kernel = random.between(1, std::min({in.height, in.width, 5}) + 2 * conv.padding);
    const Shape out = output_shape(conv, in);
    Values x = random.reals(size_t(n) * in.count());
    Values w = random.reals(size_t(conv.out_channels) * in.channels * conv.kernel * conv.kernel);
    Values b = random.reals(size_t(conv.out_channels));
    const Values dy = random.reals(size_t(n) * out.count());
    Values y(dy.size()), dx(x.size(), 99), dw(w.size(), 99), db(b.size(), 99);
    const auto f = [&] {
      reference::conv_forward(y.data(), x.data(), w.data(), b.data(), conv, in, out, n);
      return dot(y, dy);
    };
    reference::conv_backward(dx.data(), dw.data(), db.data(), dy.data(), x.data(), w.data(), conv,
                             in, out, n);
    const std::string what = to_text(Layer(conv));
    EXPECT_TRUE(is_near(dx, differences(x, f), kReferenceTolerance)) << what;
    EXPECT_TRUE(is_near(dw, differences(w, f), kReferenceTolerance)) << what;
    EXPECT_TRUE(is_near(db, differences(b, f), kReferenceTolerance)) << what;
  }
}

TEST(ReferenceLinear, BackwardAgreesWithDifferences) {
  Random random(32);
  for (int trial = 0; trial < 20; ++trial) {
    const int n = random.between(1, 4);
    const int inputs = random.between(1, 9);
    const int outputs = random.between(1, 9);
    Values x = random.reals(size_t(n) * inputs);
    Values w = random.reals(size_t(outputs) * inputs);
    Values b = random.reals(size_t(outputs));
    const Values dy = random.reals(size_t(n) * outputs);
    Values y(dy.size()), dx(x.size(), 99), dw(w.size(), 99), db(b.size(), 99);
    const auto f = [&] {
      reference::linear_forward(y.data(), x.data(), w.data(), b.data(), inputs, outputs, n);
      return dot(y, dy);
    };
    reference::linear_backward(dx.data(), dw.data(), db.data(), dy.data(), x.data(), w.data(),
                               inputs, outputs, n);
    EXPECT_TRUE(is_near(dx, differences(x, f), kReferenceTolerance));
    EXPECT_TRUE(is_near(dw, differences(w, f), kReferenceTolerance));
    EXPECT_TRUE(is_near(db, differences(b, f), kReferenceTolerance));
  }
}

TEST(ReferenceLinear, RowsOfWeightsAreOutputs) {
  const Values x{1, 2, 3};
  const Values w{1, 10, 100, 2, 20, 200};  // (2, 3)
  const Values b{0.5, 0.25};
  Values y(2);
  reference::linear_forward(y.data(), x.data(), w.data(), b.data(), 3, 2, 1);
  EXPECT_EQ(y, (Values{321.5, 642.25}));
}

TEST(ReferenceMaxPool, BackwardAgreesWithDifferences) {
  Random random(33);
  for (int trial = 0; trial < 40; ++trial) {
    const int n = random.between(1, 3);
    const Shape in{random.between(1, 3), random.between(1, 8), random.between(1, 8)};
    const MaxPool2d pool{random.between(1, std::min({in.height, in.width, 4})),
                         random.between(1, 4)};  // overlapping, side by side and with gaps
    const Shape out = output_shape(pool, in);
    Values x = random.reals(size_t(n) * in.count());
    const Values dy = random.reals(size_t(n) * out.count());
    Values y(dy.size()), dx(x.size(), 99);
    std::vector<size_t> winner(y.size());
    const auto f = [&] {
      reference::maxpool_forward(y.data(), winner.data(), x.data(), pool, in, out, n);
      return dot(y, dy);
    };
    f();
    reference::maxpool_backward(dx.data(), dy.data(), winner.data(), in, out, n);
    EXPECT_TRUE(is_near(dx, differences(x, f), kReferenceTolerance)) << to_text(Layer(pool));
  }
}

TEST(ReferenceAvgPool, BackwardAgreesWithDifferences) {
  Random random(34);
  for (int trial = 0; trial < 40; ++trial) {
    const int n = random.between(1, 3);
    const Shape in{random.between(1, 3), random.between(1, 8), random.between(1, 8)};
    const AvgPool2d pool{random.between(1, std::min({in.height, in.width, 4})),
                         random.between(1, 4)};
    const Shape out = output_shape(pool, in);
    Values x = random.reals(size_t(n) * in.count());
    const Values dy = random.reals(size_t(n) * out.count());
    Values y(dy.size()), dx(x.size(), 99);
    const auto f = [&] {
      reference::avgpool_forward(y.data(), x.data(), pool, in, out, n);
      return dot(y, dy);
    };
    reference::avgpool_backward(dx.data(), dy.data(), pool, in, out, n);
    EXPECT_TRUE(is_near(dx, differences(x, f), kReferenceTolerance)) << to_text(Layer(pool));
  }
}

// torch.nn.AvgPool2d(2) of two channels, 2 x 5 each: the last column is left out.
TEST(ReferenceAvgPool, TakesTheMeanOfEachWindow) {
  Values x(20);
  for (size_t i = 0; i < x.size(); ++i) x[i] = double(i);
  Values y(4);
  reference::avgpool_forward(y.data(), x.data(), {2, 2}, {2, 2, 5}, {2, 1, 2}, 1);
  EXPECT_EQ(y, (Values{3, 5, 13, 15}));
}

TEST(ReferenceMaxPool, TiesTakeTheFirst) {
  const Values x{0, 3, 3,  3,   //
                 3, 1, 2,  3,   //
                 5, 5, -1, -1,  //
                 5, 5, -1, -1};
  Values y(4);
  std::vector<size_t> winner(4);
  reference::maxpool_forward(y.data(), winner.data(), x.data(), {2, 2}, {1, 4, 4}, {1, 2, 2}, 1);
  EXPECT_EQ(y, (Values{3, 3, 5, -1}));
  EXPECT_EQ(winner, (std::vector<size_t>{1, 2, 8, 10}));
}

TEST(ReferenceRelu, BackwardAgreesWithDifferences) {
  Random random(34);
  Values x = random.reals(50);
  const Values dy = random.reals(50);
  Values y(50), dx(50, 99);
  const auto f = [&] {
    reference::relu_forward(y.data(), x.data(), x.size());
    return dot(y, dy);
  };
  f();
  reference::relu_backward(dx.data(), dy.data(), y.data(), x.size());
  EXPECT_TRUE(is_near(dx, differences(x, f), kReferenceTolerance));
}

TEST(ReferenceRelu, ZeroHasNoGradientAndNanStays) {
  const Values x{0, -1, NAN};
  const Values dy{5, 5, 5};
  Values y(3), dx(3);
  reference::relu_forward(y.data(), x.data(), 3);
  reference::relu_backward(dx.data(), dy.data(), y.data(), 3);
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 0);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(dx[0], 0);
  EXPECT_EQ(dx[1], 0);
}

// In training mode: the statistics move with x.
TEST(ReferenceBatchNorm, BackwardAgreesWithDifferences) {
  Random random(36);
  for (int trial = 0; trial < 20; ++trial) {
    const Shape shape{random.between(1, 3), random.between(1, 4), random.between(1, 4)};
    const int n = random.between(shape.height * shape.width == 1 ? 2 : 1, 4);
    const auto channels = size_t(shape.channels);
    Values x = random.reals(size_t(n) * shape.count(), -2, 3);
    Values w = random.reals(channels), b = random.reals(channels);
    const Values dy = random.reals(x.size());
    Values y(x.size()), mean(channels), variance(channels);
    Values dx(x.size(), 99), dw(channels, 99), db(channels, 99);
    const auto f = [&] {
      reference::batchnorm_statistics(mean.data(), variance.data(), x.data(), shape, n);
      reference::batchnorm_forward(y.data(), x.data(), mean.data(), variance.data(), w.data(),
                                   b.data(), shape, n);
      return dot(y, dy);
    };
    f();
    reference::batchnorm_backward(dx.data(), dw.data(), db.data(), dy.data(), x.data(), mean.data(),
                                  variance.data(), w.data(), shape, n);
    // Two values a channel leave next to no gradient, and differences of it are rough.
    EXPECT_TRUE(is_near(dx, differences(x, f), 10 * kReferenceTolerance, 1e-8)) << trial;
    EXPECT_TRUE(is_near(dw, differences(w, f), kReferenceTolerance));
    EXPECT_TRUE(is_near(db, differences(b, f), kReferenceTolerance));
  }
}

// torch.nn.BatchNorm2d(2) by hand: two samples of (2, 1, 2).
TEST(ReferenceBatchNorm, ByHand) {
  const Values x{1, 3, 10, 10, 5, 7, 10, 10};
  const Values w{2, 1}, b{0.5, -1};
  Values y(8), mean(2), variance(2);
  reference::batchnorm_statistics(mean.data(), variance.data(), x.data(), {2, 1, 2}, 2);
  EXPECT_EQ(mean, (Values{4, 10}));
  EXPECT_EQ(variance, (Values{5, 0}));
  reference::batchnorm_forward(y.data(), x.data(), mean.data(), variance.data(), w.data(), b.data(),
                               {2, 1, 2}, 2);
  const double deviation = std::sqrt(5 + 1e-5);
  EXPECT_TRUE(is_near(y,
                      Values{0.5 - 6 / deviation, 0.5 - 2 / deviation, -1, -1, 0.5 + 2 / deviation,
                             0.5 + 6 / deviation, -1, -1},
                      1e-15));
  Values running_mean{0, 1}, running_variance{1, 1};
  reference::batchnorm_update(running_mean.data(), running_variance.data(), mean.data(),
                              variance.data(), 2, 4);
  EXPECT_TRUE(is_near(running_mean, Values{0.4, 1.9}, 1e-15));
  EXPECT_TRUE(is_near(running_variance, Values{0.9 + 0.1 * 20 / 3, 0.9}, 1e-15));
}

TEST(ReferenceDropout, BackwardAgreesWithDifferences) {
  Random random(37);
  Values x = random.reals(3 * 21);
  const Values dy = random.reals(x.size());
  Values y(x.size()), dx(x.size(), 99);
  const DropoutDraw draw{5, 6, 7};
  const auto f = [&] {
    reference::dropout(y.data(), x.data(), 0.4f, draw, 21, 3);
    return dot(y, dy);
  };
  reference::dropout(dx.data(), dy.data(), 0.4f, draw, 21, 3);
  EXPECT_TRUE(is_near(dx, differences(x, f), kReferenceTolerance));
}

TEST(ReferenceDropout, ScalesWhatItKeeps) {
  const Values x(2 * 7, 3.0);
  Values y(x.size()), same(x.size());
  const DropoutDraw draw{1, 2, 3};
  reference::dropout(y.data(), x.data(), 0.25f, draw, 7, 2);
  for (size_t i = 0; i < y.size(); ++i) {
    const auto row = static_cast<uint32_t>(i / 7), element = static_cast<uint32_t>(i % 7);
    const RandomWords words = dropout_words(draw, row * 2 + element / 4);
    EXPECT_EQ(y[i], uniform01(words.word[element % 4]) < 0.25f ? 0 : 4) << i;
  }
  reference::dropout(same.data(), x.data(), 0, draw, 7, 2);
  EXPECT_EQ(same, x);
}

TEST(ReferenceLoss, GradientAgreesWithDifferences) {
  Random random(35);
  for (const int n : {1, 2, 5}) {
    Values logits = random.reals(size_t(n) * kClasses, -4, 4);
    std::vector<uint8_t> labels;
    for (int s = 0; s < n; ++s) labels.push_back(static_cast<uint8_t>(random.between(0, 9)));
    const auto mean_loss = [&] {
      double loss = 0;
      for (int s = 0; s < n; ++s) {
        double sum = 0;
        for (int c = 0; c < kClasses; ++c) sum += std::exp(logits[size_t(s * kClasses + c)]);
        loss += std::log(sum) - logits[size_t(s * kClasses + labels[size_t(s)])];
      }
      return loss / n;
    };
    Values gradient = logits;
    int64_t correct = -1;
    const double loss =
        reference::softmax_cross_entropy(gradient.data(), &correct, labels.data(), n, kClasses);
    EXPECT_TRUE(std::abs(loss / n - mean_loss()) <= 1e-14 * loss);
    EXPECT_TRUE(is_near(gradient, differences(logits, mean_loss), kReferenceTolerance));
  }
}

TEST(ReferenceLoss, LargeLogitsAndTies) {
  Values logits(3 * kClasses, 0.0);
  logits[2] = 1000;                 // sample 0: certain and right
  logits[kClasses + 4] = 1000;      // sample 1: certain and wrong
  const uint8_t labels[]{2, 3, 1};  // sample 2: all equal, the first counts
  int64_t correct = -1;
  const double loss =
      reference::softmax_cross_entropy(logits.data(), &correct, labels, 3, kClasses);
  EXPECT_TRUE(std::abs(loss - (1000 + std::log(10.0))) <= 1e-12 * loss);
  EXPECT_EQ(correct, 1);
  EXPECT_TRUE(std::abs(logits[kClasses + 4] - 1.0 / 3) <= 1e-15);
  EXPECT_TRUE(std::abs(logits[kClasses + 3] + 1.0 / 3) <= 1e-15);
}

// torch.nn.functional.cross_entropy(logits, [2, 9], label_smoothing=0.1)
TEST(ReferenceLoss, LabelSmoothingAsPyTorch) {
  std::vector<double> logits{0.5, -1, 2, 0, 0.25, 1, -2, 3, 0.75, -0.5,
                             1,   2,  3, 4, 5,    6, 7,  8, 9,    -10};
  const std::vector<double> expected{
      0.0170698366104343,   -7.55538226641251e-05, -0.35608985447887,    0.00838603255907672,
      0.0121880060344642,   0.0313870090604994,    -0.00318839749220283, 0.263865651220328,
      0.0233382311499432,   0.00311903915899159,   -0.00489396050215398, -0.00471175475990625,
      -0.00421646820171335, -0.00287013975069755,  0.0007895604128361,   0.0107376568649782,
      0.037779386678594,    0.111286429441045,     0.311099288045978,    -0.45499999822896};
  const uint8_t labels[]{2, 9};
  int64_t correct = -1;
  const double loss =
      reference::softmax_cross_entropy(logits.data(), &correct, labels, 2, kClasses, 0.1);
  EXPECT_TRUE(std::abs(loss / 2 - 9.94447400646654) <= 1e-13);
  EXPECT_EQ(correct, 0);
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_TRUE(std::abs(logits[i] - expected[i]) <= 1e-15) << i;
  }
}

}  // namespace
}  // namespace digitron
