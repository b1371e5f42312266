// The program's commands: each adds its options to the command line and says what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace digitron {

struct Command {
  CLI::App* options;
  std::function<int()> run;  // returns the exit code
};

Command add_train(CLI::App& app, std::vector<std::string> command_line);
Command add_eval(CLI::App& app);
Command add_predict(CLI::App& app);
Command add_inspect(CLI::App& app);
Command add_devices(CLI::App& app);

// The synthetic digits are one data set: a run's --seed does not change what it learns from.
inline constexpr uint64_t kDataSeed = 1;

// Help texts that several commands share.
inline constexpr const char* kModelHelp =
    "lenet5, custom-mlp, or a text such as 'conv 8x5 pad 2, relu, maxpool 2, fc 10'";
inline constexpr const char* kDataHelp =
    "Directory of MNIST's four IDX files (plain or .gz) or of train/ and test/ with "
    "{number}_{label}.png, or the word 'synthetic'. Default: $DIGITRON_DATA, data/mnist, "
    "../shared/mnist, a download, synthetic, whichever is there first";
inline constexpr const char* kDeviceHelp =
    "auto (CUDA where it is available, else the CPU), cpu, cuda or cuda:N";
inline constexpr const char* kThreadsHelp =
    "Threads of the CPU engine, 0 for every core; the result does not depend on it";

}  // namespace digitron
