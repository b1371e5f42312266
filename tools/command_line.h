// The program but for its main, which tests do not have: they read command lines too.
#pragma once

#include <functional>

namespace digitron {

// What a command line asks for: a call runs it, and returns the exit code. Throws InputError for
// one that makes no sense. Nothing has been done before the call, and no file been written.
std::function<int()> parse_command_line(int argc, const char* const* argv);

}  // namespace digitron
