// The linear layers of every instruction set against the reference's in double precision.
#include <gtest/gtest.h>

#include "host/cpu/stages/stage.h"
#include "host/reference/reference_ops.h"
#include "host/reference/reference_optimizer.h"
#include "tests/cpu_testing.h"

namespace digitron {
namespace {

using testing::Guarded;
using testing::is_near;
using testing::Random;
using testing::transposed;
using Values = std::vector<double>;

constexpr double kLinearTolerance = 1e-6;

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

// Blocks of (count, kLanes) with guards between them, in the reference's order: one sample a row.
class Blocks {
 public:
  Blocks(int blocks, int count, std::ptrdiff_t stride)
      : blocks_(blocks), count_(count), stride_(stride), memory_(size_t(blocks * stride)) {}
  Blocks(int blocks, int count, std::ptrdiff_t stride, Random& random)
      : Blocks(blocks, count, stride) {
    for (int b = 0; b < blocks_; ++b)
      for (int i = 0; i < count_ * kLanes; ++i) {
        memory_[size_t(b * stride_ + i)] = static_cast<float>(random.real(-1, 1));
      }
  }

  float* data() { return memory_.data(); }
  Values rows() {
    Values result;
    for (int b = 0; b < blocks_; ++b) {
      const float* block = data() + b * stride_;
      const Values samples = transposed({block, block + count_ * kLanes}, count_);
      result.insert(result.end(), samples.begin(), samples.end());
    }
    return result;
  }
  bool intact() {
    for (std::ptrdiff_t i = 0; i < blocks_ * stride_; ++i) {
      if (i % stride_ >= count_ * kLanes && !memory_.is_guard(memory_[size_t(i)])) return false;
    }
    return memory_.intact();
  }

 private:
  int blocks_, count_;
  std::ptrdiff_t stride_;
  Guarded<float> memory_;
};

TEST_P(CpuLinear, Forward) {
  Random random(62);
  for (const Size& size : sizes()) {
    const auto [inputs, outputs] = size;
    for (int blocks = 1; blocks <= kGroupBlocks; ++blocks) {
      const std::ptrdiff_t stride = (std::max(inputs, outputs) + random.between(0, 3)) * kLanes;
      Blocks x(blocks, inputs, stride, random), y(blocks, outputs, stride, random);
      Guarded<float> w(size_t(outputs) * inputs, random), b(size_t(outputs), random);
      const auto use = static_cast<SumsUse>(random.between(0, 2));
      const auto before = y.rows();
      Values expected(size_t(blocks) * kLanes * outputs);
      reference::linear_forward(expected.data(), x.rows().data(), w.values().data(),
                                b.values().data(), inputs, outputs, blocks * kLanes);
      for (size_t i = 0; i < expected.size(); ++i) {
        if (use == SumsUse::kRectify) expected[i] = std::max(expected[i], 0.0);
        if (use == SumsUse::kAdd) expected[i] += before[i];
      }
      kernels_.linear_forward(y.data(), stride, x.data(), stride, blocks, w.data(), inputs,
                              b.data(), inputs, outputs, use);
      EXPECT_TRUE(is_near(y.rows(), expected, kLinearTolerance))
          << size << ", " << blocks << " blocks";
      EXPECT_TRUE(y.intact()) << size;
    }
  }
}

TEST_P(CpuLinear, BackwardInput) {
  Random random(63);
  for (const Size& size : sizes()) {
    const auto [inputs, outputs] = size;
    for (int blocks = 1; blocks <= kGroupBlocks; ++blocks) {
      const std::ptrdiff_t dx_stride = (inputs + random.between(0, 3)) * kLanes;
      const std::ptrdiff_t dy_stride = (outputs + random.between(0, 3)) * kLanes;
      Blocks dx(blocks, inputs, dx_stride), dy(blocks, outputs, dy_stride, random);
      Guarded<float> w(size_t(outputs) * inputs, random);
      Values expected(size_t(blocks) * kLanes * inputs), dw(w.size()), db(size_t(outputs), 0.0);
      const Values x(expected.size());
      reference::linear_backward(expected.data(), dw.data(), db.data(), dy.rows().data(), x.data(),
                                 w.values().data(), inputs, outputs, blocks * kLanes);
      const int half = random.between(0, inputs);  // a thread may take some of the inputs
      for (const Range part : {Range{0, half}, Range{half, inputs}}) {
        kernels_.linear_backward_input(dx.data() + part.first * kLanes, dx_stride, dy.data(),
                                       dy_stride, blocks, w.data() + part.first, inputs,
                                       part.count(), outputs);
      }
      EXPECT_TRUE(is_near(dx.rows(), expected, kLinearTolerance))
          << size << ", " << blocks << " blocks";
      EXPECT_TRUE(dx.intact()) << size;
    }
  }
}

// A batch of whole blocks: dy as the kernels take it, and everything in the reference's order.
struct Batch {
  Batch(const Size& size, int blocks_, Random& random)
      : blocks(blocks_),
        row_floats((size.inputs + kLanes - 1) / kLanes * kLanes),
        dy(size_t(blocks) * kLanes * size.outputs, random),
        x_rows(size_t(blocks) * kLanes * row_floats, random),
        dw(size_t(size.outputs) * size.inputs),
        db(size_t(size.outputs), 0.0) {
    const Values lanes = dy.values();
    Values x, dy_rows;
    for (auto block = lanes.begin(); block != lanes.end(); block += size.outputs * kLanes) {
      const Values rows = transposed({block, block + size.outputs * kLanes}, size.outputs);
      dy_rows.insert(dy_rows.end(), rows.begin(), rows.end());
    }
    for (int n = 0; n < blocks * kLanes; ++n) {
      const float* row = x_rows.data() + std::ptrdiff_t{n} * row_floats;
      x.insert(x.end(), row, row + size.inputs);
    }
    reference::linear_backward<double>(nullptr, dw.data(), db.data(), dy_rows.data(), x.data(),
                                       nullptr, size.inputs, size.outputs, blocks * kLanes);
  }

  int blocks;
  int row_floats;
  Guarded<float> dy, x_rows;
  Values dw, db;
};

// Columns [first, last) of a matrix of `inputs` columns; first divides by kLanes.
struct Columns {
  Columns(int inputs, Random& random)
      : first(random.between(0, (inputs - 1) / kLanes) * kLanes),
        last(random.between(first + 1, inputs)) {}
  bool contains(int i) const { return i >= first && i < last; }

  int first, last;
};

TEST_P(CpuLinear, BackwardWeights) {
  Random random(64);
  for (const Size& size : sizes()) {
    Batch batch(size, random.between(1, 20), random);
    const Columns columns(size.inputs, random);
    for (const bool add : {false, true}) {
      Guarded<float> dw(batch.dw.size(), random);
      Values expected = dw.values();
      for (size_t i = 0; i < expected.size(); ++i) {
        if (!columns.contains(int(i) % size.inputs)) continue;
        expected[i] = batch.dw[i] + (add ? expected[i] : 0);
      }
      kernels_.linear_backward_weights(
          dw.data(), batch.dy.data(), std::ptrdiff_t{size.outputs} * kLanes,
          batch.x_rows.data() + columns.first, size.inputs, batch.row_floats, size.outputs,
          columns.first, columns.last, batch.blocks, add, nullptr);
      EXPECT_TRUE(is_near(dw.values(), expected, kLinearTolerance))
          << size << ", columns " << columns.first << " to " << columns.last;
      EXPECT_TRUE(dw.intact()) << size;
    }
  }
}

// With a step the parameters change as by sgd with these gradients, and nothing else does.
TEST_P(CpuLinear, BackwardWeightsUpdates) {
  Random random(65);
  for (const Size& size : sizes()) {
    Batch batch(size, random.between(1, 4), random);
    const Columns columns(size.inputs, random);
    for (const bool add : {false, true}) {
      Guarded<float> dw(batch.dw.size(), random), w(dw.size(), random), v(dw.size(), random);
      Values expected_w = w.values(), expected_v = v.values();
      for (size_t i = 0; i < expected_w.size(); ++i) {
        if (!columns.contains(int(i) % size.inputs)) continue;
        const double g = batch.dw[i] + (add ? dw[i] : 0);
        reference::update<double>(&expected_w[i], &expected_v[i], nullptr, nullptr, &g, 1,
                                  {.momentum = 0.9f, .weight_decay = 0.02f}, {.lr = 0.1f});
      }
      const SgdStep step{w.data(), v.data(), 0.1f, 0.9f, 0.02f};
      kernels_.linear_backward_weights(
          dw.data(), batch.dy.data(), std::ptrdiff_t{size.outputs} * kLanes,
          batch.x_rows.data() + columns.first, size.inputs, batch.row_floats, size.outputs,
          columns.first, columns.last, batch.blocks, add, &step);
      EXPECT_TRUE(is_near(w.values(), expected_w, kLinearTolerance)) << size;
      EXPECT_TRUE(is_near(v.values(), expected_v, kLinearTolerance)) << size;
      EXPECT_TRUE(w.intact() && v.intact() && dw.intact()) << size;
    }
  }
}

TEST_P(CpuLinear, BackwardBias) {
  Random random(66);
  for (const Size& size : sizes()) {
    Batch batch(size, random.between(1, 20), random);
    const int first = random.between(0, size.outputs - 1);
    const int last = random.between(first + 1, size.outputs);
    Guarded<float> db(size_t(last - first));
    kernels_.linear_backward_bias(db.data() - first, batch.dy.data(), size.outputs, first, last,
                                  batch.blocks);
    EXPECT_TRUE(is_near(db.values(), std::span(batch.db).subspan(size_t(first), db.size()), 1e-5))
        << size;
    EXPECT_TRUE(db.intact()) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, CpuLinear, ::testing::ValuesIn(runnable_cpu_kernels()),
                         testing::instruction_set);

}  // namespace
}  // namespace digitron
