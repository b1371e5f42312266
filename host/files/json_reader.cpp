#include "host/files/json_reader.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <limits>
#include <utility>

#include "host/core/error.h"
#include "host/text/text.h"

namespace digitron {

namespace {

using nlohmann::ordered_json;

constexpr size_t kMostShown = 60;  // characters of a value in a message

std::string shown(const ordered_json& value) {
  return shortened(value.dump(-1, ' ', false, ordered_json::error_handler_t::replace), kMostShown);
}

}  // namespace

JsonReader::JsonReader(const ordered_json& object, std::string where, std::string advice)
    : object_(object), where_(std::move(where)), advice_(std::move(advice)) {
  if (object_.is_object()) return;
  throw InputError(
      fmt::format("{} is {}; it must be an object; {}", where_, shown(object_), advice_));
}

bool JsonReader::has(const char* key) const {
  const auto entry = object_.find(key);
  return entry != object_.end() && !entry->is_null();
}

int64_t JsonReader::integer(const char* key, int64_t least, int64_t most) const {
  const ordered_json& found = value(key);
  const bool fits = found.is_number_unsigned()
                        ? found.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()}
                        : found.is_number_integer();
  if (!fits || found.get<int64_t>() < least || found.get<int64_t>() > most) {
    fail(key, fmt::format("a whole number from {} to {}", least, most));
  }
  return found.get<int64_t>();
}

uint64_t JsonReader::natural(const char* key) const {
  const ordered_json& found = value(key);
  if (!found.is_number_unsigned() && !(found.is_number_integer() && found.get<int64_t>() >= 0)) {
    fail(key, fmt::format("a whole number from 0 to {}", std::numeric_limits<uint64_t>::max()));
  }
  return found.get<uint64_t>();
}

double JsonReader::number(const char* key, double least, double most) const {
  const ordered_json& found = value(key);
  const double number = found.is_number() ? found.get<double>() : NAN;
  if (std::isfinite(number) && number >= least && number <= most) return number;
  const bool bounded = std::isfinite(least) && std::isfinite(most);
  fail(key, bounded                ? fmt::format("a number from {} to {}", least, most)
            : std::isfinite(least) ? fmt::format("a number of {} or more", least)
                                   : "a number");
}

double JsonReader::any_number(const char* key) const {
  const ordered_json& found = value(key);
  if (!found.is_number()) fail(key, "a number");
  return found.get<double>();
}

bool JsonReader::flag(const char* key) const {
  const ordered_json& found = value(key);
  if (!found.is_boolean()) fail(key, "true or false");
  return found.get<bool>();
}

std::string JsonReader::text(const char* key) const {
  const ordered_json& found = value(key);
  if (!found.is_string()) fail(key, "a text");
  return found.get<std::string>();
}

std::vector<double> JsonReader::numbers(const char* key) const {
  std::vector<double> numbers;
  const ordered_json& list = value(key);
  if (!list.is_array()) fail(key, "a list of numbers");
  for (const ordered_json& entry : list) {
    if (!entry.is_number() || !std::isfinite(entry.get<double>())) fail(key, "a list of numbers");
    numbers.push_back(entry.get<double>());
  }
  return numbers;
}

std::vector<std::string> JsonReader::texts(const char* key) const {
  std::vector<std::string> texts;
  const ordered_json& list = value(key);
  if (!list.is_array()) fail(key, "a list of texts");
  for (const ordered_json& entry : list) {
    if (!entry.is_string()) fail(key, "a list of texts");
    texts.push_back(entry.get<std::string>());
  }
  return texts;
}

JsonReader JsonReader::object(const char* key) const {
  return {value(key), place(key), advice_};
}

const ordered_json& JsonReader::value(const char* key) const {
  const auto entry = object_.find(key);
  if (entry != object_.end()) return *entry;
  throw InputError(fmt::format("{}: {} is missing; {}", where_, key, advice_));
}

void JsonReader::fail(const char* key, const std::string& expected) const {
  throw InputError(
      fmt::format("{} is {}; it must be {}; {}", place(key), shown(value(key)), expected, advice_));
}

}  // namespace digitron
