// A timeline as a file that Perfetto (ui.perfetto.dev) and chrome://tracing open.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>

#include "host/core/profile.h"

namespace digitron {

// Chrome's trace event format: a complete event ("ph": "X", times in microseconds) for each of
// these, and a thread for each lane, in the order in which lanes come first.
nlohmann::ordered_json trace_json(std::span<const TraceEvent> events);

// Writes that, atomically. Throws as write_file_atomically does.
void write_trace(const std::filesystem::path& path, std::span<const TraceEvent> events);

}  // namespace digitron
