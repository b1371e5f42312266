// Owners of everything that the stand-in hands out, so that a foreign or destroyed handle is seen.
#pragma once

#include <map>
#include <memory>

namespace host_cuda {

class HandleSet {
 public:
  HandleSet();
  virtual ~HandleSet() = default;
  virtual size_t size() const = 0;
  virtual void clear() = 0;
};

template <typename T>
class Handles : public HandleSet {
 public:
  T* create(T value = {}) {
    auto owner = std::make_unique<T>(std::move(value));
    T* handle = owner.get();
    handles_.emplace(handle, std::move(owner));
    return handle;
  }
  bool owns(const T* handle) const { return handles_.count(handle) != 0; }
  bool destroy(const T* handle) { return handles_.erase(handle) != 0; }
  size_t size() const override { return handles_.size(); }
  void clear() override { handles_.clear(); }
  const std::map<const T*, std::unique_ptr<T>>& all() const { return handles_; }

 private:
  std::map<const T*, std::unique_ptr<T>> handles_;
};

// The one owner of a kind of handle.
template <typename T>
Handles<T>& handles() {
  static Handles<T> all;
  return all;
}

}  // namespace host_cuda
