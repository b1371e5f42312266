// Digitron as a library: trains a network on the data set that the argument names, in memory.
#include <cstdio>

#include "host/core/devices.h"
#include "host/core/engine.h"
#include "host/data/data.h"

int main(int, char** arguments) {
  using namespace digitron;
  const Data data = load_data(arguments[1]);
  const Plan plan = make_plan(find_model("conv 8x5, relu, maxpool 2, fc 10", data.task), 64);
  const std::unique_ptr<Engine> engine = make_cpu_engine(plan, 1);
  engine->load(data.train, data.test);
  engine->set_state(State::kParameters, initial_parameters(plan, 1));
  engine->configure({.optimizer = {.momentum = 0.9f}});
  const int steps = steps_per_epoch(data.train->count(), plan.batch);
  for (int epoch = 1; epoch <= 3; ++epoch) {
    engine->train(epoch, 0, std::vector<StepRates>(static_cast<size_t>(steps), {.lr = 0.01f}));
    const Metrics test = engine->evaluate(Split::kHeldOut);
    std::printf("epoch %d: loss %.4f, accuracy %.2f%%\n", epoch, test.loss(),
                100 * test.accuracy());
  }
}
