#include "host/train/run_log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <string>

#include "host/files/file_error.h"
#include "host/text/log_format.h"

namespace digitron {

namespace {

spdlog::sink_ptr file_sink(const std::filesystem::path& path, bool append) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(path.string(), !append);
    sink->set_formatter(log_format());
    return sink;
  } catch (const spdlog::spdlog_ex&) {
    throw_file_error("cannot write " + path.string(), errno, "make it writable, or move it away");
  }
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& path, bool append) : before_(spdlog::default_logger()) {
  const std::shared_ptr<spdlog::logger> both = before_->clone("run");
  both->sinks().push_back(file_sink(path, append));
  both->flush_on(spdlog::level::info);
  both->set_error_handler([](const std::string&) {});
  spdlog::set_default_logger(both);
}

RunLog::~RunLog() {
  spdlog::set_default_logger(before_);
}

}  // namespace digitron
