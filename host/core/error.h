// What can go wrong, in two kinds. main catches them once, prints one line and picks the exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace digitron {

// The user's input is at fault: exit code 2. The message says what, where and what to do.
class InputError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The machine is at fault (disk full, device lost): exit code 1.
class MachineError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// An engine that cannot run here, and why; a value, because "no GPU" is an answer and not an error.
struct Unavailable {
  std::string reason;
};

}  // namespace digitron
