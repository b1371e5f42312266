// digitron train
#include <memory>

#include "host/train/interrupt.h"
#include "host/train/session.h"
#include "tools/commands.h"

namespace digitron {

Command add_train(CLI::App& app, std::vector<std::string> command_line) {
  CLI::App* sub = app.add_subcommand("train", "Train a model; write metrics and a checkpoint");
  auto request = std::make_shared<SessionRequest>();
  request->command = std::move(command_line);
  add_config(*sub);
  sub->add_option("--like", request->like,
                  "Take model, data and all settings of training from another run (its directory\n"
                  "or run.json), but for those given here; not its device, --init or --out")
      ->type_name("RUN");
  add_model(*sub, request->model)->default_str("lenet5");
  add_data(*sub, request->data);
  sub->add_option("--out", request->out,
                  "For run.json, metrics.jsonl and model.safetensors. Default: runs/MODEL, or\n"
                  "runs/MODEL-2 and so on where there is a run already")
      ->type_name("DIR");
  sub->add_flag("--overwrite", request->overwrite, "Give up the run that --out holds");
  sub->add_option("--init", request->init,
                  "Safetensors file of the initial parameters. Default: drawn from the seed")
      ->type_name("FILE");
  sub->add_option(
         "--resume", request->resume,
         "Continue the run in this directory as if it had never stopped, with its settings")
      ->type_name("DIR");
  sub->add_flag("--force", request->force,
                "With --resume: let other settings than the run's count");
  sub->add_option(
         "--profile-steps", request->profile_steps,
         "Let profilers that wait for it (nsys, ncu) capture steps A to B of the run, counted\n"
         "from 1; see digitron profile")
      ->type_name("A:B");
  add_device(*sub, request->device);
  add_settings(*sub, request->settings, request->dropout);
  return {sub, [request] {
            const TrainResult result = run_session(*request, stop_on_signals);
            return result.interrupted ? kInterruptedExitCode : 0;
          }};
}

}  // namespace digitron
