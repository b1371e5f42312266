// Stand-in for <nvtx3/nvtx3.hpp>: the part of NVTX's C++ interface that the engine uses. Ranges are
// kept, for tests to read (host_cuda::ranges).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace nvtx3 {

class category {
 public:
  using id_type = uint32_t;
  constexpr explicit category(id_type id) noexcept : id_(id) {}
  constexpr id_type get_id() const noexcept { return id_; }

 private:
  id_type id_;
};

class payload {
 public:
  explicit payload(uint64_t value) noexcept : value_(value) {}
  uint64_t get_value() const noexcept { return value_; }

 private:
  uint64_t value_;
};

// A string's index among those that are registered.
class message {
 public:
  explicit message(size_t handle) noexcept : handle_(handle) {}
  size_t get_handle() const noexcept { return handle_; }

 private:
  size_t handle_;
};

namespace host {

// What the wrappers below come down to. `domain`: its name.
void name_category(const char* domain, category::id_type id, const char* name);
size_t register_string(const char* domain, const std::string& text);
struct Event {
  std::optional<uint32_t> category;
  std::optional<uint64_t> payload;
  size_t message;
};
void push(const char* domain, const Event& event);
void pop();
uint64_t start(const char* domain, const Event& event);
void end(uint64_t id);

}  // namespace host

template <class D>
class named_category_in final : public category {
 public:
  named_category_in(id_type id, const char* name) noexcept : category(id) {
    host::name_category(D::name, id, name);
  }
};

template <class D>
class registered_string_in {
 public:
  explicit registered_string_in(const std::string& text) noexcept
      : message_(host::register_string(D::name, text)) {}
  operator message() const noexcept { return message_; }  // NOLINT: as NVTX's message takes it

 private:
  message message_;
};

class event_attributes {
 public:
  template <class... Rest>
  explicit event_attributes(const category& c, const Rest&... rest) : event_attributes(rest...) {
    event_.category = c.get_id();
  }
  template <class... Rest>
  explicit event_attributes(const payload& p, const Rest&... rest) : event_attributes(rest...) {
    event_.payload = p.get_value();
  }
  explicit event_attributes(const message& m) : event_{{}, {}, m.get_handle()} {}
  const host::Event& event() const { return event_; }

 private:
  host::Event event_;
};

template <class D>
class scoped_range_in {
 public:
  explicit scoped_range_in(const event_attributes& attributes) {
    host::push(D::name, attributes.event());
  }
  ~scoped_range_in() { host::pop(); }
  scoped_range_in(const scoped_range_in&) = delete;
  scoped_range_in& operator=(const scoped_range_in&) = delete;
};

template <class D>
class unique_range_in {
 public:
  explicit unique_range_in(const event_attributes& attributes)
      : id_(host::start(D::name, attributes.event())) {}
  ~unique_range_in() { host::end(id_); }
  unique_range_in(const unique_range_in&) = delete;
  unique_range_in& operator=(const unique_range_in&) = delete;

 private:
  uint64_t id_;
};

}  // namespace nvtx3
