#include "host/train/progress.h"

#include <unistd.h>

#include <cstdio>
#include <string>

namespace digitron {

namespace {
constexpr std::chrono::milliseconds kInterval{100};
constexpr size_t kMostColumns = 79;  // a line that wraps could not be taken back
}  // namespace

ProgressLine::ProgressLine() : terminal_(isatty(STDOUT_FILENO) == 1) {}

bool ProgressLine::due() const {
  return terminal_ && Clock::now() - shown_at_ >= kInterval;
}

void ProgressLine::show(std::string_view text) {
  if (!terminal_) return;
  text = text.substr(0, kMostColumns);
  const std::string padding(width_ > text.size() ? width_ - text.size() : 0, ' ');
  const std::string line = '\r' + std::string(text) + padding;
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
  width_ = text.size();
  shown_at_ = Clock::now();
}

void ProgressLine::clear() {
  if (width_ == 0) return;
  const std::string line = '\r' + std::string(width_, ' ') + '\r';
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
  width_ = 0;
}

}  // namespace digitron
