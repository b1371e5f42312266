#include "cuda/weight_program.h"

namespace digitron {

namespace {

int blocks_of(int count, int size) {
  return (count + size - 1) / size;
}

}  // namespace

WeightProgram make_weight_program(const SampleProgram& program) {
  WeightProgram made;
  made.record_floats = program.record_floats;
  for (int i = 0; i < program.count; ++i) {
    const SampleOp& op = program.ops[i];
    if (op.kind != OpKind::kLinear) continue;
    const int inputs = op.channels * op.height * op.width;
    const int wide = blocks_of(inputs, kTileInputs);
    made.linear[made.linear_count++] = {op.weight,   op.out_channels, inputs, op.record_x,
                                        op.record_d, made.blocks,     wide};
    made.blocks += wide * blocks_of(op.out_channels, kTileOutputs);
  }
  const auto add = [&](int parameter, int record, int count) {
    made.summed[made.summed_count++] = {parameter, record, count, made.blocks};
    made.blocks += blocks_of(count, kWeightThreads);
  };
  for (int i = 0; i < program.count; ++i) {
    const SampleOp& op = program.ops[i];
    if (op.kind == OpKind::kConv) {
      add(op.weight, op.record_w, op.out_channels * op.channels * op.kernel * op.kernel);
      add(op.bias, op.record_b, op.out_channels);
    } else if (op.kind == OpKind::kBatchNorm) {
      add(op.weight, op.record_w, op.channels);
      add(op.bias, op.record_b, op.channels);
    } else if (op.kind == OpKind::kLinear) {
      add(op.bias, op.record_d, op.out_channels);
    }
  }
  return made;
}

}  // namespace digitron
