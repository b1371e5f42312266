// What `digitron bench --json` has written, read back and checked.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/files/json.h"

namespace digitron {

// A fresh process that measured a row.
struct MeasuredRepeat {
  double seconds = 0;               // a step's: the median of the samples
  bool disturbed = false;           // there is a warning that the machine was not quiet
  std::vector<double> slices = {};  // the medians of its turns, if it was measured by turns
};

struct MeasuredRow {
  std::string identity;                 // equal for rows that measure the same thing
  std::string name;                     // for people: "lenet5, batch 64, train, 2 threads, fp32"
  std::string device;                   // "CPU", "NVIDIA H100 80GB HBM3"
  std::vector<MeasuredRepeat> repeats;  // one or more
};

// NOLINTNEXTLINE(bugprone-exception-escape): nlohmann's move constructor, which throws nothing
struct BenchFile {
  std::filesystem::path path;
  std::string date;  // "" where there is none
  nlohmann::json build;
  nlohmann::json machine;
  std::vector<MeasuredRow> rows;  // one or more, each identity once
};

// Throws InputError for a file that is no bench of this schema or is broken, with the place in it.
BenchFile read_bench_file(const std::filesystem::path& path);

// The same of what such a file holds. source, cure: for messages, where it is from, and what to do.
BenchFile read_bench(const nlohmann::json& bench, const std::filesystem::path& source,
                     const std::string& cure);

}  // namespace digitron
