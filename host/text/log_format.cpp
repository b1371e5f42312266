#include "host/text/log_format.h"

#include <spdlog/spdlog.h>

#include <string>

#include "host/text/text.h"

namespace digitron {

namespace {

class LogFormat : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) override {
    const std::string line = message_line({message.payload.data(), message.payload.size()}) + '\n';
    to.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LogFormat>();
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> log_format() {
  return std::make_unique<LogFormat>();
}

}  // namespace digitron
