// write_named_programs FILE: a header of the named models' programs as constants, for the kernels
// of kernels/sample_pass_named.cu. Run by the build.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "cuda/program_source.h"
#include "cuda/sample_program.h"

namespace digitron {

namespace {

// Of a block on an H100, H200 or B200. A GPU with less makes the same program where it is enough.
constexpr size_t kSharedBytes = size_t{227} << 10;
constexpr struct {
  const char* model;
  const char* type;
} kNamed[] = {{"lenet5", "LeNet5"}, {"custom-mlp", "CustomMlp"}};

std::string header() {
  std::string text =
      "// Made by the build, with tools/gpu/write_named_programs.cpp.\n"
      "#pragma once\n\n"
      "#include \"kernels/sample_program.h\"\n\n"
      "namespace digitron {\n";
  std::string list;
  for (const auto& [model, type] : kNamed) {
    for (const int parts : {1, 2}) {
      const auto made =
          make_sample_program(make_plan(find_model(model), 64), {kSharedBytes, parts});
      const auto& program = std::get<SampleProgram>(made);
      const std::string name = type + ("Blocks" + std::to_string(parts));
      text += "\n// " + std::string(model) + ", blocks of a group: " + std::to_string(parts) +
              "\nstruct " + name + " {\n  static constexpr int kParts = " + std::to_string(parts) +
              ", kOps = " + std::to_string(program.count) +
              ";\n  static constexpr SampleProgram make() { return " + program_source(program) +
              "; }\n};\n";
      list += (list.empty() ? "" : ", ") + name;
    }
  }
  return text +
         "\ntemplate <class... Programs>\nstruct ProgramList {};\nusing NamedPrograms = "
         "ProgramList<" +
         list + ">;\n\n}  // namespace digitron\n";
}

int write(const char* path) {
  std::FILE* file = std::fopen(path, "w");
  if (file == nullptr) {
    std::perror(path);
    return 1;
  }
  std::fputs(header().c_str(), file);
  return std::fclose(file) == 0 ? 0 : 1;
}

}  // namespace

}  // namespace digitron

int main(int count, char** arguments) {
  try {
    return count == 2 ? digitron::write(arguments[1]) : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_named_programs: %s\n", error.what());
    return 1;
  }
}
