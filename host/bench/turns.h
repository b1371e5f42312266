// Two processes that measure by turns: while one takes a slice of its samples, the other waits.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

namespace digitron {

// What a process calls before and after each of its turns.
struct Turns {
  std::function<void()> wait;
  std::function<void()> pass;
};

// The options that name a process's two pipes: it waits for a byte from the one, and passes on by a
// byte to the other.
inline constexpr const char* kMyTurn = "--my-turn";
inline constexpr const char* kYourTurn = "--your-turn";

// Throws MachineError where a pipe cannot be opened. When nobody holds the other ends any more
// there is nobody to wait for.
Turns take_part(const std::string& mine, const std::string& yours);

// The pipes of two processes, in a directory.
class TurnPipes {
 public:
  explicit TurnPipes(const std::filesystem::path& directory);
  ~TurnPipes();
  TurnPipes(const TurnPipes&) = delete;
  TurnPipes& operator=(const TurnPipes&) = delete;

  // Of process 0 or 1.
  const std::string& of(size_t process) const { return paths_.at(process); }
  void begin(size_t first) const { give(first, 1); }
  // For good, because the other has ended.
  void leave_to(size_t process) const;

 private:
  void give(size_t process, size_t turns) const;

  std::array<std::string, 2> paths_;
  std::array<int, 2> files_{-1, -1};
};

}  // namespace digitron
