// Learning-rate schedules: the rate of every step of a run as one pure function.
#pragma once

#include <cstdint>
#include <vector>

#include "host/train/settings.h"

namespace digitron {

// The rate of step `step` (from 0 on, over the whole run), at `epoch_steps` steps an epoch.
//   constant   lr
//   step       lr * gamma^(whole step_epochs so far), torch.optim.lr_scheduler.StepLR
//   cosine     lr * (1 + cos(pi * x)) / 2, x from 0 to 1 over the steps after the warm-up,
//              CosineAnnealingLR with eta_min 0
//   one-cycle  up from lr / 25 to lr over the warm-up and down to lr / 250000, both along a cosine,
//              OneCycleLR with max_lr = lr; without --warmup it takes 0.3 of the run
// The first three rise linearly from lr / warm-up steps to lr during the warm-up.
double learning_rate(const TrainSettings& settings, int64_t step, int epoch_steps);

// What Engine::train takes for steps [first, last) (from 0) of an epoch (from 1): the learning
// rates and what else changes from step to step.
std::vector<StepRates> epoch_rates(const TrainSettings& settings, int epoch, int first, int last,
                                   int epoch_steps);

}  // namespace digitron
