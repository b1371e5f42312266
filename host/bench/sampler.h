// When to stop measuring, and what many samples of a time say.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "host/bench/turns.h"

namespace digitron {

// What a bench takes and its file may hold.
inline constexpr double kMostSeconds = 86400;
inline constexpr int kMostRepeats = 1000;
inline constexpr int kMostSlices = 1000;  // of a process that measures by turns

struct SamplerSettings {
  double warmup = 0.1;     // seconds of calls that count for nothing
  double min_time = 0.5;   // seconds that the samples must sum to
  double max_noise = 0.5;  // percent: enough when noise() is no more
  double timeout = 15;     // seconds after the warm-up at which to stop in any case
};

// Throws InputError naming the option.
void check_settings(const SamplerSettings& settings);

// What one call of an engine tells.
struct Call {
  bool device_clock = false;
  std::vector<double> seconds;  // of a step each
  int steps = 1;                // that it took
  double host_seconds = 0;      // of the whole call, by the host's clock
};

struct Samples {
  bool device_clock = false;         // the device's own clock; otherwise the host's
  std::vector<double> seconds;       // of a step each, in the order they were taken
  std::vector<double> host_seconds;  // of a step, one a call: the host's clock around the call
  double cpu_seconds = 0;            // of a step: processor time of all threads of the process
  int64_t warmup = 0;                // samples before them
  int64_t discarded = 0;             // samples of disturbed stretches
  std::vector<double> slices;        // medians of the parts taken by turns, if they were
  std::string stopped;               // "noise", "timeout" or, after its turns, "turns"
  std::string missed;                // what a timeout was ahead of: "--max-noise 0.5 %: 1.2 %"
};

// Seconds since some moment.
using Now = std::function<double()>;
double steady_seconds();

// Calls until the noise is low, or time is up. Samples are taken in stretches of a tenth of a
// second; after each, disturbed(), where there is one, is asked whether the machine was held back
// in it, and if so the stretch is measured again, as long as there is time. Where all of them were
// disturbed they are taken all the same, and `missed` says so.
Samples take_samples(const std::function<Call()>& call, const SamplerSettings& settings,
                     const std::function<bool()>& disturbed = {}, const Now& now = steady_seconds);

// By turns with another process: settings.warmup in the first turn, and then settings.min_time in
// slices of a fiftieth of a second, so that both meet the same states of the machine. The noise is
// not looked at, since both must take as many turns.
Samples take_slices(const std::function<Call()>& call, const SamplerSettings& settings,
                    const Turns& turns, const Now& now = steady_seconds);

// The p-th percentile (0 to 100) of sorted values, linear between neighbours. Not of none.
double percentile(std::span<const double> sorted, double p);

// How well the median of samples that were taken one after another is known, relative to it: its
// standard error by batch means (Law, Simulation Modeling and Analysis, chapter 9), with medians in
// place of means. The samples are cut into 20 parts of consecutive ones, or as many as there are;
// it is the standard deviation of the parts' medians over the root of their number. So a single
// slow step counts for little, and a machine that drifts for much. Infinite for fewer than 10.
//
// NVBench's criterion of the same name is the deviation of single samples, which no number of them
// brings under 0.5 % on a CPU; it then ends when that deviation settles.
double noise(std::span<const double> samples);

}  // namespace digitron
