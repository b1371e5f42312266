// Ctrl-C, SIGTERM and SIGHUP as a flag that a run looks at between slices of steps.
#pragma once

#include <atomic>

namespace digitron {

inline constexpr int kInterruptedExitCode = 130;  // what shells report for Ctrl-C

// From this call on the first of them raises the flag; a second one ends the program at once.
// SIGHUP stays ignored where the program was started so.
const std::atomic<bool>& stop_on_signals();

}  // namespace digitron
