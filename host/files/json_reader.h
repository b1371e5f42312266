// A JSON object from outside, read with the type and the range of each value checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/files/json.h"

namespace digitron {

// What is wrong is an InputError: where, the key, what stands there, and what may.
class JsonReader {
 public:
  // `where` begins every message ("runs/lenet5/run.json"), `advice` ends it. The object outlives
  // this. Throws InputError when it is none.
  JsonReader(const nlohmann::ordered_json& object, std::string where, std::string advice);

  bool has(const char* key) const;  // and it is not null
  int64_t integer(const char* key, int64_t least, int64_t most) const;
  uint64_t natural(const char* key) const;                          // up to 2^64 - 1
  double number(const char* key, double least, double most) const;  // finite
  double any_number(const char* key) const;  // infinite or none too, which JSON's text never has
  bool flag(const char* key) const;
  std::string text(const char* key) const;
  JsonReader object(const char* key) const;
  std::vector<double> numbers(const char* key) const;  // a list, each finite
  std::vector<std::string> texts(const char* key) const;
  // A list of objects; calls f with a reader of each. None where the key is missing or null.
  template <class F>
  void for_each_object(const char* key, F f) const {
    if (!has(key)) return;
    const nlohmann::ordered_json& list = value(key);
    if (!list.is_array()) fail(key, "a list");
    for (const auto& entry : list) f(JsonReader(entry, place(key), advice_));
  }

  const std::string& where() const { return where_; }
  // Throws for what the reader's caller finds wrong: `expected` says what may stand there.
  [[noreturn]] void refuse(const char* key, const std::string& expected) const {
    fail(key, expected);
  }

 private:
  const nlohmann::ordered_json& value(const char* key) const;
  std::string place(const char* key) const { return where_ + ": " + key; }
  [[noreturn]] void fail(const char* key, const std::string& expected) const;

  const nlohmann::ordered_json& object_;
  std::string where_;
  std::string advice_;
};

}  // namespace digitron
