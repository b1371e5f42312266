// The convolutions of every instruction set against the reference's in double precision.
#include <gtest/gtest.h>

#include "host/core/plan.h"
#include "host/cpu/stages/stage.h"
#include "host/reference/reference_ops.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::LaneTensor;
using testing::Random;
using testing::WinnerTable;
using Values = std::vector<double>;

constexpr double kConvTolerance = 3e-6;

// One convolution over an input whose border is part of it, of which rows [first, first + rows) of
// the output are made.
struct Case {
  Window window;
  Shape in;
  Shape out;
  int first;
  int rows;

  Shape taps() const { return {in.channels, window.rows, window.columns}; }
  size_t weights() const { return size_t(out.channels) * taps().count(); }
  Shape part() const { return {out.channels, rows, out.width}; }
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.window.rows << "x" << c.window.columns << " stride " << c.window.stride << ", "
             << c.in.channels << "x" << c.in.height << "x" << c.in.width << " -> " << c.out.channels
             << ", rows " << c.first << " + " << c.rows;
}

Case make_case(const Shape& in, int out_channels, const Window& window, int first, int rows) {
  return {window,
          in,
          {out_channels, (in.height - window.rows) / window.stride + 1,
           (in.width - window.columns) / window.stride + 1},
          first,
          rows};
}

// The input may be larger than what the outputs need.
Case random_case(Random& random, const Window& window) {
  const auto side = [&](int kernel, int outputs) {
    return kernel + window.stride * (outputs - 1) + random.between(0, window.stride - 1);
  };
  const int height = random.between(1, 7);
  const int first = random.between(0, height - 1);
  const Shape in{random.between(1, 9), side(window.rows, height),
                 side(window.columns, random.between(1, 18))};
  return make_case(in, random.between(1, 19), window, first, random.between(1, height - first));
}

std::vector<Case> cases() {
  Random random(51);
  std::vector<Case> result{make_case({1, 32, 32}, 6, {5, 5, 1}, 0, 28),  // LeNet-5's own
                           make_case({6, 14, 14}, 16, {5, 5, 1}, 0, 10),
                           make_case({6, 14, 14}, 16, {5, 5, 1}, 4, 2),
                           make_case({1, 28, 28}, 10, {28, 28, 1}, 0, 1)};
  for (int kernel = 1; kernel <= 7; ++kernel) {
    for (int stride = 1; stride <= 3; ++stride) {
      const int other = random.between(1, 7);
      for (int i = 0; i < 3; ++i) result.push_back(random_case(random, {kernel, kernel, stride}));
      result.push_back(random_case(random, {kernel, other, stride}));
      result.push_back(random_case(random, {1, kernel, stride}));
      result.push_back(random_case(random, {kernel, 1, stride}));
    }
  }
  return result;
}

// `values` (planes, from) in the corner of zeros (planes, to), or the corner alone.
Values resized(const Values& values, const Shape& from, const Shape& to) {
  const size_t planes = values.size() / size_t(from.height * from.width);
  Values result(planes * size_t(to.height * to.width));
  for (size_t plane = 0; plane < planes; ++plane)
    for (int y = 0; y < std::min(from.height, to.height); ++y)
      for (int x = 0; x < std::min(from.width, to.width); ++x)
        result[(plane * size_t(to.height) + size_t(y)) * size_t(to.width) + size_t(x)] =
            values[(plane * size_t(from.height) + size_t(y)) * size_t(from.width) + size_t(x)];
  return result;
}

// The reference has square kernels only: the same convolution with zeros for the taps that a narrow
// one lacks, over an input that is larger by as much.
struct SquareCase {
  explicit SquareCase(const Case& c)
      : conv{c.out.channels, std::max(c.window.rows, c.window.columns), c.window.stride, 0},
        in{c.in.channels, c.in.height + conv.kernel - c.window.rows,
           c.in.width + conv.kernel - c.window.columns},
        taps{c.in.channels, conv.kernel, conv.kernel} {}

  Conv2d conv;
  Shape in;
  Shape taps;
};

Values expected_output(const Case& c, const Values& x, const Values& w, const Values& b) {
  const SquareCase square(c);
  Values y(size_t(kLanes) * c.out.count());
  reference::conv_forward(y.data(), resized(x, c.in, square.in).data(),
                          resized(w, c.taps(), square.taps).data(), b.data(), square.conv,
                          square.in, c.out, kLanes);
  return y;
}

class CpuConv : public testing::CpuKernelsTest {};

TEST_P(CpuConv, Forward) {
  Random random(52);
  for (const Case& c : cases()) {
    LaneTensor x(c.in, random), y(c.part());
    Guarded<float> w(c.weights(), random), b(size_t(c.out.channels), random);
    const bool relu = random.chance(50);
    const bool bias = random.chance(70);
    if (!bias) std::fill_n(b.data(), b.size(), 0.0f);
    kernels_.conv_forward(y.view(), x.view(), w.data(), bias ? b.data() : nullptr, c.window,
                          c.first, relu);
    Values expected;
    size_t index = 0;
    for (const double value : expected_output(c, x.values(), w.values(), b.values())) {
      const int row = static_cast<int>(index++ / size_t(c.out.width) % size_t(c.out.height));
      if (row < c.first || row >= c.first + c.rows) continue;
      expected.push_back(relu ? std::max(0.0, value) : value);
    }
    EXPECT_TRUE(is_near(y.values(), expected, kConvTolerance)) << c;
    EXPECT_TRUE(y.intact()) << c;
  }
}

// The same bits as of the two kernels that it replaces.
TEST_P(CpuConv, PoolForwardIsForwardAndPooling) {
  Random random(54);
  for (int trial = 0; trial < 40; ++trial) {
    const Window window{random.between(1, 6), random.between(1, 6), 1};
    const Shape out{random.between(1, 19), random.between(1, 4), random.between(1, 6)};
    const Shape convolved{out.channels, 2 * out.height, 2 * out.width};
    const Shape in{random.between(1, 7), convolved.height + window.rows - 1,
                   convolved.width + window.columns - 1};
    const bool relu = random.chance(50);
    LaneTensor x(in, random), between(convolved), expected(out), y(out);
    WinnerTable expected_winners(out), winners(out);
    Guarded<float> w(size_t(out.channels) * in.channels * window.rows * window.columns, random);
    Guarded<float> b(size_t(out.channels), random);
    kernels_.conv_forward(between.view(), x.view(), w.data(), nullptr, window, 0, false);
    kernels_.maxpool_forward(expected.view(), expected_winners.view(), between.view(), b.data(),
                             {2, 2, 2}, relu);
    kernels_.conv_pool_forward(y.view(), winners.view(), x.view(), w.data(), b.data(), window,
                               relu);
    EXPECT_EQ(y.values(), expected.values()) << window.rows << "x" << window.columns;
    EXPECT_TRUE(std::equal(winners.memory.data(), winners.memory.data() + winners.memory.size(),
                           expected_winners.memory.data()));
    EXPECT_TRUE(y.intact() && winners.memory.intact());
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
  Values dx, dw_by_lane;
};

// The reference's, one sample at a time.
Gradients expected_gradients(const Case& c, const Values& dy_rows, const Values& x_values,
                             const Values& w_values) {
  const SquareCase square(c);
  const Values dy = in_whole_output(dy_rows, c);
  const Values x = resized(x_values, c.in, square.in);
  const Values w = resized(w_values, c.taps(), square.taps);
  Values dx(x.size()), dw(w.size()), db(size_t(c.out.channels)), dw_by_lane(kLanes * c.weights());
  for (size_t n = 0; n < kLanes; ++n) {
    const size_t sample = n * size_t(square.in.count());
    reference::conv_backward(&dx[sample], dw.data(), db.data(), &dy[n * size_t(c.out.count())],
                             &x[sample], w.data(), square.conv, square.in, c.out, 1);
    const Values taps = resized(dw, square.taps, c.taps());
    for (size_t i = 0; i < taps.size(); ++i) dw_by_lane[i * kLanes + n] = taps[i];
  }
  return {resized(dx, square.in, c.in), dw_by_lane};
}

Values sum(Values a, const Values& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

TEST_P(CpuConv, Backward) {
  Random random(53);
  for (const Case& c : cases()) {
    LaneTensor x(c.in, random), dx(c.in, random), dy(c.part(), random);
    Guarded<float> w(c.weights(), random), dw_by_lane(c.weights() * kLanes, random);
    const Gradients made = expected_gradients(c, dy.values(), x.values(), w.values());
    const bool add = random.chance(50);
    const Values expected_dw = add ? sum(made.dw_by_lane, dw_by_lane.values()) : made.dw_by_lane;
    const Values expected_dx = sum(made.dx, dx.values());
    kernels_.conv_backward_weights(dw_by_lane.data(), dy.view(), x.view(), c.window, c.first, add);
    const int half = random.between(0, c.in.channels);  // a thread may take some of the channels
    for (const Range part : {Range{0, half}, Range{half, c.in.channels}}) {
      kernels_.conv_backward_input(channels_of(dx.view(), part), dy.view(),
                                   w.data() + part.first * c.window.rows * c.window.columns,
                                   static_cast<std::ptrdiff_t>(c.weights()) / c.out.channels,
                                   c.window, c.first);
    }
    EXPECT_TRUE(is_near(dw_by_lane.values(), expected_dw, kConvTolerance)) << c;
    EXPECT_TRUE(is_near(dx.values(), expected_dx, kConvTolerance)) << c;
    EXPECT_TRUE(dw_by_lane.intact()) << c;
    EXPECT_TRUE(dx.intact()) << c;
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuConv, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
