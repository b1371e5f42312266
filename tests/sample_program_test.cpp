// What the fused step makes of a plan before any kernel runs: exact divisions, places in shared
// memory, and the plans it refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "cuda/named_program.h"
#include "cuda/sample_program.h"
#include "cuda/shared_layout.h"
#include "host/core/model.h"
#include "tests/engine_testing.h"

namespace digitron {
namespace {

using testing::Random;

// A quotient that is right on both sides of each multiple is right everywhere: it never falls.
TEST(Divisor, IsExactBelow65536) {
  constexpr int kEnd = 1 << 16;
  for (int d = 1; d < kEnd; ++d) {
    const Divisor divisor(d);
    for (int multiple = 0; multiple < kEnd; multiple += d) {
      for (const int i : {multiple, std::min(multiple + d, kEnd) - 1}) {
        int rest = i;
        const int quotient = divisor.divide(rest);
        ASSERT_TRUE(quotient == i / d && rest == i % d) << i << " / " << d;
      }
    }
  }
}

struct Tensor {
  int floats;
  int first, last;
  int offset = -1;

  int end() const { return offset + floats; }
};

int place(std::vector<Tensor>& tensors) {
  SharedLayout layout;
  for (Tensor& t : tensors) layout.add(&t.offset, t.floats, t.first, t.last);
  return layout.place();
}

TEST(SharedLayout, NothingOverlapsInTimeAndSpace) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<Tensor> tensors;
    for (int i = random.between(0, 30); i > 0; --i) {
      const int first = random.between(-1, 20);
      tensors.push_back({random.between(1, 100), first, first + random.between(0, 10)});
    }
    const int floats = place(tensors);
    int last = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
      const Tensor& a = tensors[i];
      EXPECT_TRUE(a.offset >= 0 && a.offset % 4 == 0) << a.offset;
      last = std::max(last, (a.end() + 3) / 4 * 4);
      for (size_t j = 0; j < i; ++j) {
        const Tensor& b = tensors[j];
        const bool at_once = a.first <= b.last && b.first <= a.last;
        EXPECT_FALSE(at_once && a.offset < b.end() && b.offset < a.end()) << i << ", " << j;
      }
    }
    EXPECT_EQ(floats, last);
  }
}

TEST(SharedLayout, APlaceIsTakenAgainWhenItIsFree) {
  std::vector<Tensor> tensors{{10, 0, 1}, {8, 1, 2}, {5, 2, 3}, {4, 2, 2}};
  EXPECT_EQ(place(tensors), 20);
  EXPECT_EQ(tensors[0].offset, 0);
  EXPECT_EQ(tensors[1].offset, 12);
  EXPECT_EQ(tensors[2].offset, 0);
  EXPECT_EQ(tensors[3].offset, 8);
}

constexpr int kProgramBatch = 64;

std::variant<SampleProgram, std::string> program_of(const std::string& model, int shared_kb,
                                                    int parts = 1, int batch = kProgramBatch) {
  const size_t bytes = static_cast<size_t>(shared_kb) * 1024;
  return make_sample_program(make_plan(find_model(model), batch), {bytes, parts});
}

// "1 sample of 59840 bytes, 63200 in all", or the refusal.
std::string memory_of(const std::string& model, int shared_kb, int parts) {
  const auto made = program_of(model, shared_kb, parts);
  if (const auto* reason = std::get_if<std::string>(&made)) return *reason;
  const auto& program = std::get<SampleProgram>(made);
  return std::to_string(program.samples) + " of " + std::to_string(4 * program.sample_floats) +
         " bytes, " + std::to_string(4 * program.shared_floats) + " in all";
}

std::string refusal(const std::string& model, int shared_kb = 227) {
  const auto made = program_of(model, shared_kb);
  const auto* reason = std::get_if<std::string>(&made);
  return reason ? *reason : "taken";
}

TEST(SampleProgram, LayersWithoutAFusedFormAreNamed) {
  const std::pair<const char*, const char*> refused[] = {
      {"conv 4x5, conv 8x11, fc 10", "conv2's kernel 11 has no fused form"},
      {"conv 8x5 stride 2, fc 10", "conv1's stride 2 has no fused form"},
      {"conv 8x3 pad 3, fc 10", "conv1's padding 3 has no fused form"},
      {"maxpool 17 stride 1, fc 10", "pool1's window of 17 has no fused form"},
  };
  for (const auto& [model, reason] : refused) EXPECT_EQ(refusal(model), reason) << model;
  for (const char* model : {"conv 8x3 pad 2, fc 10", "maxpool 16 stride 1, fc 10",
                            "avgpool 17 stride 1, fc 10", "conv 10x5, avgpool 24"}) {
    EXPECT_EQ(refusal(model), "taken") << model;
  }
}

TEST(SampleProgram, TakesTwelveLayers) {
  std::string model = "fc 10";
  for (int i = 1; i < kMostOps; ++i) model = "dropout 0.1, " + model;
  EXPECT_EQ(refusal(model), "taken");
  EXPECT_EQ(refusal("relu, " + model), "it has 13 layers, and the fused step takes 12");
  EXPECT_EQ(refusal(model + ", relu"), "taken") << "the linear layer takes it along";
}

// Opt-in shared memory of a block: 64 KB at compute capability 7.5, 99 at 8.6, 8.9 and 12.0, 163 at
// 8.0 and 227 from 9.0 on.
TEST(SampleProgram, SaysWhatASampleTakesWhereItIsTooMuch) {
  const std::string model = "conv 16x5, relu, maxpool 2, conv 32x5, relu, maxpool 2, fc 10";
  EXPECT_EQ(refusal(model, 64), "a sample takes 137 KB of shared memory, this GPU has 64");
  EXPECT_EQ(refusal(model, 99), "a sample takes 137 KB of shared memory, this GPU has 99");
  EXPECT_EQ(refusal(model, 163), "taken");
  EXPECT_EQ(refusal(model, 227), "taken");
}

TEST(SampleProgram, SharedMemoryOfTheNamedModels) {
  const struct {
    const char* model;
    int shared_kb, parts;
    const char* memory;
  } expected[] = {
      {"lenet5", 64, 1, "1 of 59840 bytes, 63200 in all"},
      {"lenet5", 99, 1, "1 of 75712 bytes, 79072 in all"},
      {"lenet5", 99, 2, "1 of 75712 bytes, 79072 in all"},
      {"lenet5", 163, 1, "1 of 75712 bytes, 119392 in all"},
      {"lenet5", 227, 1, "1 of 75712 bytes, 119392 in all"},
      {"lenet5", 227, 2, "1 of 75712 bytes, 215392 in all"},
      {"lenet5-best", 227, 2, "1 of 75712 bytes, 215392 in all"},
      {"custom-mlp", 64, 1, "4 of 7552 bytes, 30208 in all"},
      {"custom-mlp", 163, 1, "4 of 7552 bytes, 30208 in all"},
      {"custom-mlp", 227, 1, "4 of 7552 bytes, 30208 in all"},
      {"custom-mlp", 227, 2, "4 of 7552 bytes, 171328 in all"},
  };
  for (const auto& row : expected) {
    EXPECT_EQ(memory_of(row.model, row.shared_kb, row.parts), row.memory)
        << row.model << ", " << row.shared_kb << " KB, " << row.parts << " blocks";
  }
}

// What the build has made constants of is what is made here.
TEST(NamedProgram, LeNet5AndTheMlpHaveKernelsOfTheirOwn) {
  std::set<int> numbers;
  for (const char* model : {"lenet5", "custom-mlp"}) {
    for (const int parts : {1, 2}) {
      const auto made =
          make_sample_program(make_plan(find_model(model), 64), {size_t{227} << 10, parts});
      SampleProgram program = std::get<SampleProgram>(made);
      const int number = find_named_program(program, parts);
      EXPECT_GE(number, 0) << model;
      EXPECT_TRUE(numbers.insert(number).second);
      EXPECT_EQ(find_named_program(program, 3 - parts), -1);
      program.ops[program.count - 1].by_quads = Divisor(7);  // its last member
      EXPECT_EQ(find_named_program(program, parts), -1);
    }
  }
}

TEST(SampleProgram, SamplesAreGroupedWithoutAConvolutionInLargeBatches) {
  const auto samples = [](const char* model, int batch) {
    return std::get<SampleProgram>(program_of(model, 227, 2, batch)).samples;
  };
  EXPECT_EQ(samples("fc 10", 32), kMostSamples);
  EXPECT_EQ(samples("fc 10", 31), 1);
  EXPECT_EQ(samples("conv 2x3, fc 10", 32), 1);
}

// All of an op's bytes but the one that pads its flags.
std::string bytes_of(const SampleOp& op) {
  static_assert(offsetof(SampleOp, channels) == 8 && offsetof(SampleOp, input_grad) == 6);
  const auto* bytes = reinterpret_cast<const char*>(&op);
  return std::string(bytes, 7) + std::string(bytes + 8, sizeof(SampleOp) - 8);
}

// So that what a sample becomes does not depend on how many blocks have it.
TEST(SampleProgram, PartsDifferInTheLinearWeightsPlacesAlone) {
  for (const char* model : {"lenet5", "custom-mlp", "conv 8x3 pad 1, relu, conv 8x3 pad 1, fc 10",
                            "relu, conv 4x5, avgpool 2, maxpool 3 stride 2, dropout 0.3, fc 33"
                            ", relu, dropout 0.5, fc 10"}) {
    for (const int shared_kb : {163, 227}) {
      SampleProgram programs[2];
      for (const int parts : {1, 2}) {
        SampleProgram& program = programs[parts - 1];
        program = std::get<SampleProgram>(program_of(model, shared_kb, parts));
        program.shared_floats = 0;
        for (SampleOp& op : program.ops) {
          if (op.kind == OpKind::kLinear) op.weights = -1;
        }
      }
      const auto& [one, two] = programs;
      EXPECT_EQ(one.count, two.count) << model;
      EXPECT_EQ(one.samples, two.samples) << model;
      EXPECT_EQ(one.record_floats, two.record_floats) << model;
      EXPECT_EQ(one.sample_floats, two.sample_floats) << model;
      EXPECT_EQ(one.image.offset, two.image.offset) << model;
      for (int i = 0; i < one.count; ++i) {
        EXPECT_EQ(bytes_of(one.ops[i]), bytes_of(two.ops[i])) << model << ", op " << i;
      }
    }
  }
}

}  // namespace
}  // namespace digitron
