#include "host/train/interrupt.h"

#include <csignal>

namespace digitron {

namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may not lock");

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

extern "C" void request_stop(int) {
  stop_requested = true;
  for (const int signal : kSignals) std::signal(signal, SIG_DFL);
}

}  // namespace

const std::atomic<bool>& stop_on_signals() {
  for (const int signal : kSignals) {
    const auto before = std::signal(signal, request_stop);
    if (signal == SIGHUP && before == SIG_IGN) std::signal(SIGHUP, SIG_IGN);  // nohup
  }
  return stop_requested;
}

}  // namespace digitron
