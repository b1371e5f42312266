// A fault in the rehearsal's module, asked for from outside the process that opens it:
// HOST_CUDA_FAULT="cudaStreamSynchronize 719 40" makes that call fail with error 719 after 40 that
// work. "cuda* 719 40" is the call after any forty of CUDA's runtime.
#include <cstdlib>
#include <sstream>
#include <string>

#include <host_cuda.h>

namespace {

const bool kAsked = [] {
  const char* fault = std::getenv("HOST_CUDA_FAULT");
  if (!fault) return false;
  std::istringstream words(fault);
  std::string call;
  int status = 0;
  int successes = 0;
  words >> call >> status >> successes;
  host_cuda::fail_call(call, status, successes);
  return true;
}();

}  // namespace
