#include "host/files/read_text.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include "host/core/file_descriptor.h"
#include "host/files/file_error.h"

namespace digitron {

std::string read_text(const std::filesystem::path& path, const std::string& advice) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw_file_error("cannot open " + path.string(), errno, advice);
  std::string text;
  std::array<char, 1 << 16> piece{};
  while (true) {
    const ssize_t count = ::read(file.get(), piece.data(), piece.size());
    if (count == 0) return text;
    if (count > 0) text.append(piece.data(), static_cast<size_t>(count));
    if (count < 0 && errno != EINTR) {
      throw_file_error("cannot read " + path.string(), errno, advice);
    }
  }
}

}  // namespace digitron
