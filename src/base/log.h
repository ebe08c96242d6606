// Log lines for the operator, on stderr: "12:34:56.789 warn  text". Text from outside cannot forge a line or move the
// cursor: control characters are escaped. Any thread may log; lines do not mix, neither with each other nor with the
// progress line that base/progress.h keeps at the bottom of a terminal.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace herd {

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };

// "debug" -> LogLevel::debug. Fails with usage, naming the words that are known.
Result<LogLevel> parse_log_level(std::string_view text);

// What --log-level said; where it is empty, the environment's HERD_LOG; where that is empty too, info.
Result<LogLevel> choose_log_level(std::string_view flag);

// The one level of the process: info until it is set.
void set_log_level(LogLevel level);
[[nodiscard]] LogLevel log_level();

// One line. Costs nothing but a comparison when the level is not logged.
void log_text(LogLevel level, std::string_view text);

template <typename... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (level >= log_level()) log_text(level, fmt::format(format, std::forward<Args>(args)...));
}

// `text` with every control character (C0, DEL, and C1 as UTF-8 encodes it) as \n, \t or \x1b.
std::string escape_controls(std::string_view text);

// The line at the bottom of a terminal that log lines must not run into; empty takes it away. `text` is ours.
void show_status_line(std::string_view text);

}  // namespace herd
