// Options that several commands share.
#include "tools/commands.h"

namespace digitron {

CLI::Option* add_model(CLI::App& app, std::string& model) {
  return app
      .add_option("--model", model,
                  "lenet5, custom-mlp, lenet5-improved, or a text such as\n"
                  "'conv 8x5 pad 2, relu, maxpool 2, fc 10'")
      ->type_name("NAME|TEXT");
}

CLI::Option* add_checkpoint(CLI::App& app, std::string& checkpoint) {
  return app.add_option("--checkpoint", checkpoint, "Safetensors file of the model's parameters")
      ->type_name("FILE")
      ->required();
}

CLI::Option* add_data(CLI::App& app, std::string& data) {
  return app
      .add_option(
          "--data", data,
          "Directory of MNIST's four IDX files (plain or .gz), or of train/ and test/ with\n"
          "{number}_{label}.png; or the word synthetic. Default: the first that is there of\n"
          "$DIGITRON_DATA, data/mnist, ../shared/mnist, a download, synthetic")
      ->type_name("DIR");
}

CLI::Option* add_device(CLI::App& app, std::string& device) {
  return app
      .add_option("--device", device,
                  "auto (CUDA where it is available, else the CPU), cpu, cuda or cuda:N")
      ->type_name("DEVICE")
      ->capture_default_str();
}

CLI::Option* add_threads(CLI::App& app, int& threads) {
  return app
      .add_option("--threads", threads,
                  "Threads of the CPU engine, 0 for every core; the result does not depend on it")
      ->capture_default_str();
}

}  // namespace digitron
