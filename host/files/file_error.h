// What a file's operation that fails is called, and whose fault it is.
#pragma once

#include <string>

namespace digitron {

// Throws "WHAT: the reason". By `error`, an errno, that is an InputError with "; ADVICE" where the
// place is wrong (no such file, no permission), or a MachineError with advice of its own where the
// disk, the memory or the number of open files is at fault.
[[noreturn]] void throw_file_error(const std::string& what, int error, const std::string& advice);

}  // namespace digitron
