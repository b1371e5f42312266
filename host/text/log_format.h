// What the log writes of a message, on the terminal and into files.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace digitron {

// The message alone, as message_line gives it, whatever names and files it quotes; to be given to
// every sink.
std::unique_ptr<spdlog::formatter> log_format();

}  // namespace digitron
