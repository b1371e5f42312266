// The convolutions of every instruction set against the reference's in double precision.
#include <gtest/gtest.h>

#include "host/plan.h"
#include "host/reference_ops.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::LaneTensor;
using testing::Random;
using Values = std::vector<double>;

constexpr double kTolerance = 3e-6;

// One convolution over an input whose border is part of it, of which rows [first, first + rows) of
// the output are made.
struct Case {
  Conv2d conv;
  Shape in;
  Shape out;
  int first;
  int rows;

  Window window() const { return {conv.kernel, conv.stride}; }
  size_t weights() const { return size_t(out.channels) * in.channels * conv.kernel * conv.kernel; }
};

Case make_case(int channels, int height, int width, const Conv2d& conv, int first, int rows) {
  const Shape in{channels, height, width};
  return {conv, in, output_shape(conv, in), first, rows};
}

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << to_text(Layer(c.conv)) << " of " << c.in.channels << "x" << c.in.height << "x"
             << c.in.width << ", rows " << c.first << " + " << c.rows;
}

Case random_case(Random& random, int kernel, int stride) {
  const auto side = [&](int outputs) {
    return kernel + stride * (outputs - 1) + random.between(0, stride - 1);
  };
  const int rows_out = random.between(1, 7);
  const int first = random.between(0, rows_out - 1);
  return make_case(random.between(1, 9), side(rows_out), side(random.between(1, 18)),
                   {random.between(1, 19), kernel, stride, 0}, first,
                   random.between(1, rows_out - first));
}

std::vector<Case> cases() {
  Random random(51);
  std::vector<Case> result{make_case(1, 32, 32, {6, 5}, 0, 28),  // LeNet-5's own
                           make_case(6, 14, 14, {16, 5}, 0, 10),
                           make_case(6, 14, 14, {16, 5}, 4, 2),
                           make_case(1, 28, 28, {10, 28}, 0, 1)};
  for (int kernel = 1; kernel <= 7; ++kernel)
    for (int stride = 1; stride <= 3; ++stride)
      for (int i = 0; i < 5; ++i) result.push_back(random_case(random, kernel, stride));
  return result;
}

class CpuConv : public testing::CpuKernelsTest {};

TEST_P(CpuConv, Forward) {
  Random random(52);
  for (const Case& c : cases()) {
    LaneTensor x(c.in, random);
    Guarded<float> w(c.weights(), random), b(size_t(c.out.channels), random);
    const bool relu = random.chance(50);
    Values expected(size_t(kLanes) * c.out.count());
    reference::conv_forward(expected.data(), x.values().data(), w.values().data(),
                            b.values().data(), c.conv, c.in, c.out, kLanes);
    LaneTensor y({c.out.channels, c.rows, c.out.width});
    kernels_.conv_forward(y.view(), x.view(), w.data(), b.data(), c.window(), c.first, relu);
    Values made;
    size_t index = 0;
    for (const double value : expected) {
      const int row = static_cast<int>(index++ / size_t(c.out.width) % size_t(c.out.height));
      if (row < c.first || row >= c.first + c.rows) continue;
      made.push_back(relu ? std::max(0.0, value) : value);
    }
    EXPECT_TRUE(is_near(y.values(), made, kTolerance)) << c;
    EXPECT_TRUE(y.intact()) << c;
  }
}

// dy's rows, and zeros for the output's other rows.
Values in_whole_output(const Values& dy, const Case& c) {
  Values whole(size_t(kLanes) * c.out.count());
  for (size_t i = 0; i < dy.size(); ++i) {
    const size_t x = i % size_t(c.out.width);
    const size_t y = i / size_t(c.out.width) % size_t(c.rows) + size_t(c.first);
    const size_t plane = i / size_t(c.out.width) / size_t(c.rows);
    whole[(plane * size_t(c.out.height) + y) * size_t(c.out.width) + x] = dy[i];
  }
  return whole;
}

struct Gradients {
  Values dx, dw_lanes;
};

// The reference's, one sample at a time.
Gradients expected_gradients(const Case& c, const Values& dy_rows, const Values& x,
                             const Values& w) {
  const Values dy = in_whole_output(dy_rows, c);
  Gradients result{Values(x.size()), Values(kLanes * w.size())};
  Values dw(w.size()), db(size_t(c.out.channels));
  for (size_t n = 0; n < kLanes; ++n) {
    reference::conv_backward(&result.dx[n * size_t(c.in.count())], dw.data(), db.data(),
                             &dy[n * size_t(c.out.count())], &x[n * size_t(c.in.count())], w.data(),
                             c.conv, c.in, c.out, 1);
    for (size_t i = 0; i < dw.size(); ++i) result.dw_lanes[i * kLanes + n] = dw[i];
  }
  return result;
}

Values sum(Values a, const Values& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

TEST_P(CpuConv, Backward) {
  Random random(53);
  for (const Case& c : cases()) {
    LaneTensor x(c.in, random), dx(c.in, random), dy({c.out.channels, c.rows, c.out.width}, random);
    Guarded<float> w(c.weights(), random), dw_lanes(c.weights() * kLanes, random);
    const Gradients made = expected_gradients(c, dy.values(), x.values(), w.values());
    const Values expected_dx = sum(made.dx, dx.values());
    const bool add = random.chance(50);
    const Values expected_dw = add ? sum(made.dw_lanes, dw_lanes.values()) : made.dw_lanes;
    kernels_.conv_backward_weights(dw_lanes.data(), dy.view(), x.view(), c.window(), c.first, add);
    kernels_.conv_backward_input(dx.view(), dy.view(), w.data(), c.window(), c.first);
    EXPECT_TRUE(is_near(dw_lanes.values(), expected_dw, kTolerance)) << c;
    EXPECT_TRUE(is_near(dx.values(), expected_dx, kTolerance)) << c;
    EXPECT_TRUE(dw_lanes.intact()) << c;
    EXPECT_TRUE(dx.intact()) << c;
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuConv, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
