// write_launch MODEL BATCH PARTS FOLDER: the arguments of a model's sample pass as the kernel gets
// them, in files, for tools/count_instructions. Buffers lie 2^30 bytes apart, in their order, from
// address 2^44 on; the state is written beside them.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "cuda/sample_program.h"
#include "kernels/sample_pass.h"

namespace digitron {

namespace {

constexpr size_t kSharedBytes = size_t{227} << 10;  // that a block may have on an H100

template <class T>
void write(const std::string& path, const T& value) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(&value, sizeof value, 1, file) != 1 ||
      std::fclose(file) != 0) {
    std::perror(path.c_str());
    std::exit(1);
  }
}

void write_arguments(const Plan& plan, int parts, const std::string& folder) {
  const auto made = make_sample_program(plan, {kSharedBytes, parts});
  const auto& program = std::get<SampleProgram>(made);
  uintptr_t next = uintptr_t{1} << 44;
  const auto place = [&next](auto*& pointer) {
    pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(next);
    next += uintptr_t{1} << 30;
  };
  SampleBuffers buffers;
  place(buffers.state);
  place(buffers.images);
  place(buffers.labels);
  place(buffers.parameters);
  place(buffers.records);
  place(buffers.losses);
  SampleLaunch launch{plan.batch,
                      parts,
                      0,
                      true,
                      true,
                      0,
                      pixel_form(plan.model.task),
                      training_segments(program).front()};
  write(folder + "/program", program);
  write(folder + "/buffers", buffers);
  write(folder + "/augmentation", Augmentation());
  write(folder + "/launch", launch);
  write(folder + "/state", StepState{Permutation(1, 1, 60000, true), 0, 1, 1, 0, 0});
}

}  // namespace

}  // namespace digitron

int main(int, char** arguments) {
  using namespace digitron;
  try {
    write_arguments(make_plan(find_model(arguments[1]), std::atoi(arguments[2])),
                    std::atoi(arguments[3]), arguments[4]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_launch: %s\n", error.what());
    return 2;
  }
}
