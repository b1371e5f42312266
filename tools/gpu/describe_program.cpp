// describe_program MODEL BATCH PARTS: the fused step's program as JSON, for tools/predict_step.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "cuda/sample_program.h"

namespace digitron {

namespace {

constexpr size_t kSharedBytes = size_t{227} << 10;  // that a block may have on an H100
constexpr const char* kKinds[] = {"conv", "linear", "maxpool", "avgpool", "bn", "elementwise"};

void print(const char* name, int value) {
  std::printf("\"%s\": %d, ", name, value);
}

void print(const SampleOp& op, const std::string& name) {
  std::printf("{\"name\": \"%s\", \"kind\": \"%s\", ", name.c_str(),
              kKinds[static_cast<int>(op.kind)]);
  print("split", op.split);
  print("exchange_dz", op.exchange_dz);
  print("own_dz", op.own_dz);
  print("backward", op.backward);
  print("input_grad", op.input_grad);
  print("channels", op.channels);
  print("height", op.height);
  print("inputs", op.channels * op.height * op.width);
  print("out_channels", op.out_channels);
  print("outputs", op.out_channels * op.out_height * op.out_width);
  print("kernel", op.kernel);
  print("pad", op.pad);
  print("z_height", op.z_height);
  print("z_width", op.z_width);
  print("window", op.window);
  print("shared_weights", op.weights >= 0);
  print("y_plane", op.y.plane);
  print("dz_plane", op.dz.plane);
  print("z_slices", op.z.slices);
  print("dy_slices", op.dy.slices);
  print("dw_slices", op.dw.slices);
  print("forward_width", op.forward.width);
  print("forward_tiles", op.forward.count);
  print("input_width", op.input.width);
  print("input_tiles", op.input.count);
  print("weight_width", op.weight_tiles.width);
  std::printf("\"weight_tiles\": %d}", op.weight_tiles.count);
}

int describe(const Plan& plan, int parts) {
  const auto made = make_sample_program(plan, {kSharedBytes, parts});
  if (const auto* reason = std::get_if<std::string>(&made)) {
    std::fprintf(stderr, "%s has no fused step: %s\n", plan.model.name.c_str(), reason->c_str());
    return 2;
  }
  const auto& program = std::get<SampleProgram>(made);
  if (training_segments(program).size() > 1) {
    std::fprintf(stderr, "%s has batch normalisations, and the prediction is of plans without\n",
                 plan.model.name.c_str());
    return 2;
  }
  std::printf("{\"name\": \"%s\", ", plan.model.name.c_str());
  print("batch", plan.batch);
  print("parts", parts);
  print("threads", kSampleThreads / parts);
  print("samples", program.samples);
  print("record_floats", program.record_floats);
  print("shared_floats", program.shared_floats);
  print("image_plane", program.image.plane);
  std::printf("\"ops\": [");
  for (int i = 0; i < program.count; ++i) {
    std::printf(i == 0 ? "\n" : ",\n");
    print(program.ops[i], op_names(plan)[static_cast<size_t>(i)]);
  }
  std::puts("]}");
  return 0;
}

}  // namespace

}  // namespace digitron

int main(int, char** arguments) {
  using namespace digitron;
  try {
    return describe(make_plan(find_model(arguments[1]), std::atoi(arguments[2])),
                    std::atoi(arguments[3]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
