#include "host/bench/bench_file.h"

#include <spdlog/fmt/fmt.h>

#include <set>
#include <utility>

#include "host/bench/sampler.h"
#include "host/core/error.h"
#include "host/files/read_text.h"
#include "host/files/run_record.h"
#include "host/text/statistics.h"
#include "host/text/text.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSchemaRead = "digitron-bench/1";
constexpr uintmax_t kMostBytes = uintmax_t{256} << 20;
constexpr double kLeastSeconds = 1e-9;

// The member, or null where there is none.
const nlohmann::json& member_of(const nlohmann::json& object, const char* key) {
  static const nlohmann::json kNull;
  const auto entry = object.find(key);
  return entry == object.end() ? kNull : *entry;
}

std::string bench_text(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    throw InputError(path.string() +
                     ": there is no such file; give one that digitron bench --json wrote");
  }
  const uintmax_t bytes = fs::file_size(path, error);
  if (error || bytes > kMostBytes) {
    throw InputError(
        fmt::format("{}: has {} MiB, more than the {} that a bench may have; split "
                    "it by benching fewer rows at a time",
                    path.string(), bytes >> 20, kMostBytes >> 20));
  }
  return read_text(path, "check its permissions");
}

// Reads one file; knows where it is, for messages.
class BenchFileReader {
 public:
  // The cures: what to do about a file that is broken, and about one of another schema.
  BenchFileReader(fs::path path, std::string cure, std::string schema_cure)
      : path_(std::move(path)), cure_(std::move(cure)), schema_cure_(std::move(schema_cure)) {}

  BenchFile read() {
    const std::optional<nlohmann::json> file = parse_object<nlohmann::json>(bench_text(path_));
    if (!file) fail("is not JSON as a bench has it, or is cut off");
    return read(*file);
  }

  BenchFile read(const nlohmann::json& file) {
    check_schema(member_of(file, "schema"));
    BenchFile bench{path_, "", object(file, "build"), object(file, "machine"), {}};
    if (member_of(file, "date").is_string()) bench.date = one_line(text(file, "date"));
    const nlohmann::json& rows = member_of(file, "rows");
    if (!rows.is_array() || rows.empty()) fail("has no rows");
    std::set<std::string> identities;
    for (size_t i = 0; i < rows.size(); ++i) {
      place_ = fmt::format("row {} ", i + 1);
      bench.rows.push_back(read_row(rows[i]));
      if (!identities.insert(bench.rows.back().identity).second) {
        fail(fmt::format("({}) is there twice, and which of them counts is not said",
                         bench.rows.back().name));
      }
    }
    return bench;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}: {}{}; {}", path_.string(), place_, what, cure_));
  }

  void check_schema(const nlohmann::json& schema) const {
    if (!schema.is_string()) fail("is no bench: it names no schema");
    if (schema == kSchemaRead) return;
    throw InputError(fmt::format("{}: has the schema {}, but this program reads {}; {}",
                                 path_.string(), shortened(schema.get<std::string>(), 40),
                                 kSchemaRead, schema_cure_));
  }

  const nlohmann::json& object(const nlohmann::json& from, const char* key) const {
    const nlohmann::json& value = member_of(from, key);
    if (!value.is_object()) fail(fmt::format("has no {}, or none that is an object", key));
    return value;
  }

  std::string text(const nlohmann::json& from, const char* key) const {
    const nlohmann::json& value = member_of(from, key);
    if (!value.is_string()) fail(fmt::format("has no {}, or none that is text", key));
    return one_line(value.get<std::string>());
  }

  int64_t count(const nlohmann::json& from, const char* key) const {
    const nlohmann::json& value = member_of(from, key);
    if (!value.is_number_integer() || value <= 0) {
      fail(fmt::format("has no {}, or none that is a whole number above 0", key));
    }
    return value.get<int64_t>();
  }

  MeasuredRow read_row(const nlohmann::json& row) {
    if (!row.is_object()) fail("is no object");
    MeasuredRow result;
    const std::string device = text(row, "device");
    result.device = device.substr(0, device.find(','));
    const nlohmann::json& repeats = member_of(row, "repeats");
    if (!repeats.is_array() || repeats.empty() || repeats.size() > size_t{kMostRepeats}) {
      fail(fmt::format("has no repeats, or more than {}", kMostRepeats));
    }
    std::string clock;
    const std::string place = place_;
    for (size_t i = 0; i < repeats.size(); ++i) {
      place_ = fmt::format("{}repeat {} ", place, i + 1);
      result.repeats.push_back(read_repeat(repeats[i]));
      const std::string other = text(repeats[i], "clock");
      if (i > 0 && other != clock) fail("is by another clock than the one before it");
      clock = other;
    }
    place_ = place;
    identify(result, row, clock);
    return result;
  }

  // Which parts of a row say what was measured, and not how fast it was or by which build.
  void identify(MeasuredRow& result, const nlohmann::json& row, const std::string& clock) const {
    const int64_t batch = count(row, "batch");
    const int64_t steps = count(row, "steps_per_sample");
    const nlohmann::json& settings = member_of(row, "settings");
    nlohmann::json identity{
        text(row, "text"), batch, text(row, "work"), text(row, "precision"), steps, clock,
        settings};
    result.name = fmt::format("{}, batch {}, {}", shortened(text(row, "model"), 60), batch,
                              text(row, "work"));
    for (const char* key : {"threads", "mode", "step"}) {
      const nlohmann::json& value = member_of(row, key);
      identity.push_back(value);
      if (value.is_null()) continue;
      const std::string words = one_line(value_text(value));
      result.name += ", " + words;
      if (key == std::string("threads")) result.name += value == 1 ? " thread" : " threads";
    }
    result.name += ", " + text(row, "precision");
    if (settings.is_object()) {
      for (const auto& [key, value] : settings.items()) {
        result.name += ", " + one_line(key + " " + value_text(value));
      }
    }
    result.identity = identity.dump();
  }

  MeasuredRepeat read_repeat(const nlohmann::json& repeat) const {
    if (!repeat.is_object()) fail("is no object");
    const nlohmann::json& quiet = member_of(repeat, "quiet");
    const nlohmann::json& warnings = quiet.is_object() ? member_of(quiet, "warnings") : quiet;
    MeasuredRepeat result{median_of(times(repeat, "samples_seconds")),
                          warnings.is_array() && !warnings.empty()};
    if (repeat.contains("slices_seconds")) result.slices = times(repeat, "slices_seconds");
    return result;
  }

  std::vector<double> times(const nlohmann::json& repeat, const char* key) const {
    const nlohmann::json& samples = member_of(repeat, key);
    if (!samples.is_array() || samples.empty()) fail(fmt::format("has no {}", key));
    std::vector<double> seconds;
    seconds.reserve(samples.size());
    for (const nlohmann::json& sample : samples) {
      const double value = sample.is_number() ? sample.get<double>() : 0;
      if (!(value >= kLeastSeconds && value <= kMostSeconds)) {
        fail(fmt::format("has a sample of {}, where a step takes from 1e-9 seconds to a day",
                         shortened(one_line(sample.dump()), 40)));
      }
      seconds.push_back(value);
    }
    return seconds;
  }

  fs::path path_;
  std::string cure_, schema_cure_;
  std::string place_;  // "row 1 repeat 2 ", or nothing outside of rows
};

}  // namespace

BenchFile read_bench_file(const std::filesystem::path& path) {
  return BenchFileReader(path, "give a file that digitron bench --json wrote",
                         "bench again with this program, or compare with the one that wrote it")
      .read();
}

BenchFile read_bench(const nlohmann::json& bench, const std::filesystem::path& source,
                     const std::string& cure) {
  return BenchFileReader(source, cure, cure).read(bench);
}

}  // namespace digitron
