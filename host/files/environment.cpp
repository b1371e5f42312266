#include "host/files/environment.h"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <chrono>

#include "host/files/json.h"

namespace digitron {

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

nlohmann::ordered_json details_json(const std::vector<Detail>& details) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [group, name, value] : details) {
    std::visit([&json = json[group][name]](const auto& v) { json = v; }, value);
  }
  return json;
}

}  // namespace digitron
