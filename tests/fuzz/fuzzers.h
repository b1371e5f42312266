// What reads bytes from outside, each as a fuzzer calls it: tools/fuzz with inputs that libFuzzer
// makes up, the plain tests with those in tests/fuzz/corpus.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "host/core/error.h"
#include "tests/data_testing.h"

namespace digitron::testing {

// What is refused is an InputError. All else that they throw is a fault, as any crash is.
void fuzz_bench(std::string_view bytes);         // bench --json, as compare reads it
void fuzz_checkpoint(std::string_view bytes);    // model.safetensors: its header, a newline, data
void fuzz_command_line(std::string_view bytes);  // a word a line
void fuzz_idx(std::string_view bytes);           // images or labels, as they are and as .gz
void fuzz_metrics(std::string_view bytes);       // metrics.jsonl
void fuzz_model(std::string_view bytes);         // a model's name or text
void fuzz_nsight(std::string_view bytes);        // what nsys and ncu print
void fuzz_png(std::string_view bytes);           // of any size, with a right check sum a chunk
void fuzz_run_json(std::string_view bytes);      // run.json, as --resume and report read it
void fuzz_safetensors(std::string_view bytes);   // all bytes of a file
void fuzz_state(std::string_view bytes);         // resume.safetensors: as checkpoint
void fuzz_sweep(std::string_view bytes);         // sweep.json
void fuzz_text(std::string_view bytes);          // what goes into pages, and lists of words

struct Fuzzer {
  const char* name;  // of its folder in the corpus, too
  void (*read)(std::string_view bytes);
};

inline constexpr Fuzzer kFuzzers[] = {{"bench", fuzz_bench},
                                      {"checkpoint", fuzz_checkpoint},
                                      {"command_line", fuzz_command_line},
                                      {"idx", fuzz_idx},
                                      {"metrics", fuzz_metrics},
                                      {"model", fuzz_model},
                                      {"nsight", fuzz_nsight},
                                      {"png", fuzz_png},
                                      {"run_json", fuzz_run_json},
                                      {"safetensors", fuzz_safetensors},
                                      {"state", fuzz_state},
                                      {"sweep", fuzz_sweep},
                                      {"text", fuzz_text}};

// Calls f, which may refuse what it is given. For a fuzzer that goes on all the same.
template <class F>
void may_refuse(F f) {
  try {
    f();
  } catch (const InputError&) {
  }
}

// The bytes as a file of this name, in a directory that lasts as long as the process.
inline std::filesystem::path scratch_file(const std::string& name, std::string_view bytes) {
  static const TemporaryDirectory directory;
  write_file(directory / name, bytes);
  return directory / name;
}

// Throws what no fuzzer may.
inline void require(bool condition, const char* what) {
  if (!condition) throw std::logic_error(what);
}

}  // namespace digitron::testing
