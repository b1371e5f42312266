#include "host/files/file_error.h"

#include <cerrno>
#include <cstring>

#include "host/core/error.h"

namespace digitron {

namespace {

// What to do about a failure of the machine's; "" when it is the user's.
const char* advice_of_machine(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return " (disk full or size limit); free some space, then run again";
    case EMFILE:
    case ENFILE:
      return "; raise the limit on open files (ulimit -n), then run again";
    case ENOMEM:
      return "; free some memory, then run again";
    case EIO:
    case EAGAIN:
    case ENOLCK:
    case ESTALE:
    case ETIMEDOUT:
      return "; check the machine and its disk, then run again";
    default:
      return "";
  }
}

}  // namespace

void throw_file_error(const std::string& what, int error, const std::string& advice) {
  const std::string message = what + ": " + std::strerror(error);
  const std::string of_machine = advice_of_machine(error);
  if (of_machine.empty()) throw InputError(message + "; " + advice);
  throw MachineError(message + of_machine);
}

}  // namespace digitron
