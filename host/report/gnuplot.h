// gnuplot as a child process: Debian's gnuplot-nox is enough.
#pragma once

#include <string>
#include <string_view>

namespace digitron {

// Runs gnuplot on a script, without a shell and without the user's settings, and returns what it
// writes to standard output. Throws MachineError when there is no gnuplot (naming the package) or
// when it fails (with what it says). `program` is looked up in $PATH.
std::string run_gnuplot(std::string_view script, const std::string& program = "gnuplot");

}  // namespace digitron
