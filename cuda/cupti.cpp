#include "cuda/cupti.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <string>

#include "host/core/error.h"

namespace digitron::cupti {

namespace {

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function) return;
  throw InputError(std::string("CUPTI has no ") + name +
                   "; install the one of this program's CUDA toolkit, or take --with nsys");
}

Library load() {
  const std::string name = "libcupti.so." + std::to_string(CUDART_VERSION / 1000);
  void* file = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!file) {
    throw InputError("a timeline of a GPU takes CUPTI, and " + name +
                     " does not load; install the toolkit's cuda-cupti, or name its directory "
                     "(extras/CUPTI/lib64) in LD_LIBRARY_PATH, or take --with nsys");
  }
  Library library{};
  find(file, "cuptiSubscribe", library.subscribe);
  find(file, "cuptiUnsubscribe", library.unsubscribe);
  find(file, "cuptiEnableCallback", library.enable_callback);
  find(file, "cuptiEnableDomain", library.enable_domain);
  find(file, "cuptiGetGraphNodeId", library.get_graph_node_id);
  find(file, "cuptiActivityRegisterCallbacks", library.register_buffers);
  find(file, "cuptiActivityEnable", library.enable_activity);
  find(file, "cuptiActivityDisable", library.disable_activity);
  find(file, "cuptiActivityFlushAll", library.flush_all);
  find(file, "cuptiGetResultString", library.get_result_string);
  find(file, "cuptiActivityGetNextRecord", library.get_next_record);
  return library;
}

}  // namespace

const Library& library() {
  static const Library library = load();
  return library;
}

}  // namespace digitron::cupti
