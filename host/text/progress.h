// One line on a terminal that is written over and over, and gone when something else is printed. It
// is as wide as the terminal at most: what matters least stands at the end.
#pragma once

#include <chrono>
#include <string_view>

namespace digitron {

class ProgressLine {
 public:
  // Shows nothing at all when standard output is not a terminal.
  ProgressLine();
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // True when a new text would be shown: on a terminal, ten times a second at most while one is
  // there.
  bool due() const;
  void show(std::string_view text);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  bool terminal_;
  size_t width_ = 0;  // in characters, of the line that is shown now
  Clock::time_point shown_at_{};
};

}  // namespace digitron
