// The linear layers of every instruction set against the reference's in double precision.
#include <gtest/gtest.h>

#include "host/reference_ops.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::Random;
using testing::transposed;
using Values = std::vector<double>;

constexpr double kTolerance = 1e-6;

struct Size {
  int inputs;
  int outputs;
};

std::ostream& operator<<(std::ostream& out, const Size& size) {
  return out << size.inputs << " -> " << size.outputs;
}

std::vector<Size> sizes() {
  Random random(61);
  std::vector<Size> result{{400, 120}, {84, 10}, {784, 90}, {1, 1}, {1, 13}, {17, 1}};
  for (int i = 0; i < 30; ++i) result.push_back({random.between(1, 70), random.between(1, 50)});
  return result;
}

class CpuLinear : public testing::CpuKernelsTest {};

TEST_P(CpuLinear, Forward) {
  Random random(62);
  for (const Size& size : sizes()) {
    const auto [inputs, outputs] = size;
    Guarded<float> x(size_t(inputs) * kLanes, random), w(size_t(outputs) * inputs, random),
        b(size_t(outputs), random), y(size_t(outputs) * kLanes);
    for (const bool relu : {false, true}) {
      Values expected(y.size());
      reference::linear_forward(expected.data(), transposed(x.values(), inputs).data(),
                                w.values().data(), b.values().data(), inputs, outputs, kLanes);
      if (relu) {
        for (double& value : expected) value = std::max(value, 0.0);
      }
      kernels_.linear_forward(y.data(), x.data(), w.data(), b.data(), inputs, outputs, relu);
      EXPECT_TRUE(is_near(transposed(y.values(), outputs), expected, kTolerance)) << size;
      EXPECT_TRUE(y.intact()) << size;
    }
  }
}

TEST_P(CpuLinear, BackwardInput) {
  Random random(63);
  for (const Size& size : sizes()) {
    const auto [inputs, outputs] = size;
    Guarded<float> dy(size_t(outputs) * kLanes, random), w(size_t(outputs) * inputs, random),
        dx(size_t(inputs) * kLanes);
    const Values x(dx.size());
    Values expected(dx.size()), dw(w.size()), db(size_t(outputs), 0.0);
    reference::linear_backward(expected.data(), dw.data(), db.data(),
                               transposed(dy.values(), outputs).data(), x.data(), w.values().data(),
                               inputs, outputs, kLanes);
    kernels_.linear_backward_input(dx.data(), dy.data(), w.data(), inputs, outputs);
    EXPECT_TRUE(is_near(transposed(dx.values(), inputs), expected, kTolerance)) << size;
    EXPECT_TRUE(dx.intact()) << size;
  }
}

// Several blocks, more than one chunk of 16 among them; only rows [first, last) are written.
TEST_P(CpuLinear, BackwardWeights) {
  Random random(64);
  for (const Size& size : sizes()) {
    const auto [inputs, outputs] = size;
    const int blocks = random.chance(50) ? random.between(1, 5) : random.between(15, 34);
    const int samples = blocks * kLanes;
    const int row_floats = (inputs + kLanes - 1) / kLanes * kLanes;
    const Values x = random.reals(size_t(samples) * inputs);
    Guarded<float> dy(size_t(samples) * outputs, random), xt(size_t(samples) * row_floats);
    Values x_rounded, dy_rows, dw(size_t(outputs) * inputs), db(size_t(outputs), 0.0);
    std::fill_n(xt.data(), xt.size(), 0.0f);
    for (size_t i = 0; i < x.size(); ++i) {
      float& to = xt[i / size_t(inputs) * size_t(row_floats) + i % size_t(inputs)];
      to = static_cast<float>(x[i]);
      x_rounded.push_back(to);
    }
    const Values blocks_of_dy = dy.values();
    for (int block = 0; block < blocks; ++block) {
      const auto begin = blocks_of_dy.begin() + std::ptrdiff_t{block} * outputs * kLanes;
      const Values rows = transposed({begin, begin + outputs * kLanes}, outputs);
      dy_rows.insert(dy_rows.end(), rows.begin(), rows.end());
    }
    reference::linear_backward<double>(nullptr, dw.data(), db.data(), dy_rows.data(),
                                       x_rounded.data(), nullptr, inputs, outputs, samples);
    const int first = random.between(0, outputs - 1);
    const int last = random.between(first + 1, outputs);
    Guarded<float> made_dw(size_t(last - first) * inputs), made_db(size_t(last - first));
    kernels_.linear_backward_weights(made_dw.data() - std::ptrdiff_t{first} * inputs,
                                     made_db.data() - first, dy.data(), xt.data(), inputs,
                                     row_floats, outputs, first, last, blocks);
    EXPECT_TRUE(is_near(made_dw.values(),
                        std::span(dw).subspan(size_t(first) * inputs, made_dw.size()), kTolerance))
        << size << ", rows " << first << " to " << last << ", " << blocks << " blocks";
    EXPECT_TRUE(
        is_near(made_db.values(), std::span(db).subspan(size_t(first), made_db.size()), kTolerance))
        << size;
    EXPECT_TRUE(made_dw.intact()) << size;
    EXPECT_TRUE(made_db.intact()) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuLinear, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
