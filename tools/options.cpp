// Options that several commands share.
#include <spdlog/fmt/fmt.h>

#include "host/train/settings_json.h"
#include "tools/commands.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

// Adds a setting's option, whose form the type of its value decides; what the user gives goes into
// `given`.
struct AddOption {
  CLI::App& app;
  const Setting& setting;
  ordered_json& given;

  template <class T>
  CLI::Option* add() const {
    const auto set = [&name = setting.name, &to = given](const T& value) { to[name] = value; };
    CLI::Option* option = app.add_option_function<T>(setting.option(), set, setting.help)
                              ->default_str(setting.text({}));
    if constexpr (std::is_arithmetic_v<T>) option->transform(number<T>());
    return option;
  }

  CLI::Option* operator()(int) const { return add<int>(); }
  CLI::Option* operator()(double) const { return add<double>(); }
  CLI::Option* operator()(uint64_t) const { return add<uint64_t>()->type_name("INT"); }
  CLI::Option* operator()(OptimizerKind) const { return add<std::string>()->type_name("WORD"); }
  CLI::Option* operator()(Schedule) const { return add<std::string>()->type_name("WORD"); }
  template <class T>
  CLI::Option* operator()(const std::optional<T>&) const {
    return add<T>();
  }
  CLI::Option* operator()(bool on) const {
    const auto set = [&name = setting.name, &to = given, on](int64_t times) {
      to[name] = (times > 0) != on;
    };
    return app.add_flag_function(setting.option(), set, setting.help);
  }
};

// --dropout, which changes the model, and --augment, which stands for the distances that are not
// given.
void add_dropout_and_augment(CLI::App& app, ordered_json& given, std::optional<double>& dropout) {
  app.add_option("--dropout", dropout,
                 "Probability of every dropout layer, instead of the model's own")
      ->transform(number<double>())
      ->type_name("P");
  const auto augment = [&given] {
    ordered_json settings = changed_settings_json(kAugmented);
    settings.update(given);
    given = settings;
  };
  const TrainSettings& s = kAugmented;
  app.add_flag_callback(
      "--augment", augment,
      fmt::format("Distort every training image anew each epoch: shift {}, rotate {}, scale {},\n"
                  "shear {} where these are not given",
                  s.shift, s.rotate, s.scale, s.shear));
}

constexpr const char* kModelHelp =
    "lenet5, custom-mlp, lenet5-improved, lenet5-best (LeNet-5 with the training that\n"
    "does best), mnist-99 (for the least time to 99 %), or a text such as\n"
    "'conv 8x5 pad 2, relu, maxpool 2, fc 10'";

constexpr const char* kCudaGroup = "On a GPU";

}  // namespace

CLI::Validator thread_count() {
  const auto to_number = [](std::string& word) -> std::string {
    if (word == "auto") word = std::to_string(kAutoThreads);
    const bool digits = word.find_first_not_of("-0123456789") == std::string::npos;
    return digits && !word.empty()
               ? ""
               : "'" + word + "' is no number of threads; give auto or 1 to 1024";
  };
  return CLI::Validator(to_number, "");
}

CLI::Option* add_model(CLI::App& app, std::string& model) {
  return app.add_option("--model", model, kModelHelp)->type_name("NAME|TEXT");
}

CLI::Option* add_models(CLI::App& app, std::vector<std::string>& models) {
  return app.add_option("--model", models, std::string(kModelHelp) + "; several times for several")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("NAME|TEXT")
      ->capture_default_str();
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
          "mnist, fashion-mnist, kmnist or qmnist, which are downloaded where they are not\n"
          "there (DIGITRON_MIRROR=URL: from there alone); synthetic digits; or a directory of\n"
          "four IDX files (plain or .gz), as MNIST has them, of CIFAR-10's binary files, or of\n"
          "train/ and test/ with {number}_{label}.png. Default: $DIGITRON_DATA, mnist, and\n"
          "without it synthetic. Inflated .gz are kept in ~/.cache/digitron (XDG_CACHE_HOME),\n"
          "unless DIGITRON_CACHE=off")
      ->type_name("DATA");
}

void add_device_name(CLI::App& app, std::string& device) {
  app.add_option("--device", device,
                 "auto (CUDA where it is available, else the CPU), cpu, cuda, cuda:N, or\n"
                 "reference: slow, in double precision, to check the others by")
      ->type_name("DEVICE")
      ->capture_default_str();
}

void add_device(CLI::App& app, DeviceRequest& request) {
  add_device_name(app, request.device);
  app.add_option("--threads", request.threads, kThreadsHelp)
      ->transform(thread_count())
      ->type_name("INT|auto")
      ->default_str("auto");
  CudaOptions& cuda = request.cuda;
  app.add_option_function<std::string>(
         "--step", [&cuda](const std::string& word) { cuda.step = step_kind(word); },
         "fused (a few kernels for a whole step; not every model has that form), layers\n"
         "(cuDNN and cuBLAS, layer by layer), or auto, which chooses by a rule and says why;\n"
         "the result does not depend on it but for rounding")
      ->check(CLI::IsMember(std::vector<std::string>(std::begin(kStepWords), std::end(kStepWords))))
      ->type_name("WORD")
      ->default_str("auto")
      ->group(kCudaGroup);
  app.add_flag_callback(
         "--no-graph", [&cuda] { cuda.graph = false; },
         "Make every call of a step one by one; a graph replays them all at once")
      ->group(kCudaGroup);
  add_cuda(app, cuda);
}

void add_cuda(CLI::App& app, CudaOptions& cuda) {
  app.add_option_function<std::string>(
         "--precision", [&cuda](const std::string& name) { cuda.tf32 = name == "tf32"; },
         "fp32, or tf32: tensor cores round the factors of products to 10 bits")
      ->check(CLI::IsMember({"fp32", "tf32"}))
      ->type_name("NAME")
      ->default_str("fp32")
      ->group(kCudaGroup);
  app.add_option("--blocks-per-sample", cuda.blocks_per_sample,
                 "Of the fused step: 1, 2 from compute capability 9.0 on, 0 for the most; the\n"
                 "result does not depend on it")
      ->transform(number<int>())
      ->check(CLI::Range(0, 2))
      ->capture_default_str()
      ->group(kCudaGroup);
  app.add_flag_callback(
         "--no-dependent-launch", [&cuda] { cuda.dependent_launch = false; },
         "Of the fused step: start no kernel before the one in front has ended")
      ->group(kCudaGroup);
  app.add_flag_callback(
         "--no-constant-program", [&cuda] { cuda.constant_program = false; },
         "Of the fused step: take LeNet-5 and the MLP too through the kernel for any model")
      ->group(kCudaGroup);
  app.add_option("--steps-per-graph", cuda.steps_per_graph,
                 "Steps that one launch of a graph covers; the result does not depend on it")
      ->transform(number<int>())
      ->capture_default_str()
      ->group(kCudaGroup);
  app.add_option(
         "--evaluation-batch", cuda.evaluation_batch,
         "Images of an evaluation at once; the result does not depend on it but for rounding")
      ->transform(number<int>())
      ->capture_default_str()
      ->group(kCudaGroup);
  app.add_flag_callback(
         "--allow-nondeterministic", [&cuda] { cuda.deterministic = false; },
         "Take algorithms too that give other bits from run to run")
      ->group(kCudaGroup);
}

void add_settings(CLI::App& app, ordered_json& given, std::optional<double>& dropout,
                  bool (*wanted)(const Setting&)) {
  for (const Setting& setting : all_settings()) {
    if (wanted && !wanted(setting)) continue;
    app.option_defaults()->group(setting.group);
    if (setting.name == std::string("shift")) add_dropout_and_augment(app, given, dropout);
    CLI::Option* option = setting.with_value(TrainSettings(), AddOption{app, setting, given});
    if (setting.type != nullptr) option->type_name(setting.type);
  }
}

}  // namespace digitron
