// No test reads or writes the cache of the user who runs it, and neither does a program that a test
// starts. The tests of the cache turn it on, in a directory of their own.
#include "tests/environment_variable.h"

namespace digitron::testing {
namespace {

const EnvironmentVariable cache_off("DIGITRON_CACHE", "off");

}  // namespace
}  // namespace digitron::testing
