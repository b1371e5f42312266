#include "host/text/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "host/text/table.h"
#include "host/text/text.h"

namespace digitron {

namespace {

constexpr std::chrono::milliseconds kInterval{100};

// How many characters a line may have: one that wraps could not be taken back.
size_t most_columns() {
  constexpr size_t kUnknown = 80;
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return (known ? size.ws_col : kUnknown) - 1;
}

void write(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

ProgressLine::ProgressLine() : terminal_(isatty(STDOUT_FILENO) == 1) {}

bool ProgressLine::due() const {
  return terminal_ && Clock::now() - shown_at_ >= kInterval;
}

void ProgressLine::show(std::string_view text) {
  if (!terminal_) return;
  const size_t most = most_columns();
  const std::string shown = shortened(one_line(text), most);
  const size_t width = text_width(shown);
  const size_t before = std::min(width_, most);  // the terminal may be narrower now
  write('\r' + shown + std::string(before > width ? before - width : 0, ' '));
  width_ = width;
  shown_at_ = Clock::now();
}

void ProgressLine::clear() {
  shown_at_ = {};
  if (width_ == 0) return;
  write('\r' + std::string(std::min(width_, most_columns()), ' ') + '\r');
  width_ = 0;
}

}  // namespace digitron
