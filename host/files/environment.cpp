#include "host/files/environment.h"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <fstream>

#include "host/files/json.h"

namespace digitron {

std::string version() {
  return DIGITRON_VERSION;
}

std::string compiler() {
  return DIGITRON_COMPILER;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t value = line.find(": ");
    if (line.starts_with("model name") && value != std::string::npos) return line.substr(value + 2);
  }
  return "unknown";
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

nlohmann::ordered_json details_json(const std::vector<Detail>& details) {
  nlohmann::ordered_json json;
  for (const auto& [group, name, value] : details) {
    std::visit([&json = json[group][name]](const auto& v) { json = v; }, value);
  }
  return json;
}

}  // namespace digitron
