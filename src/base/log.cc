#include "base/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "base/nearest.h"

namespace herd {
namespace {

constexpr std::array<std::string_view, 6> level_names{"trace", "debug", "info",
                                                      "warn",  "error", "off"};

// Read by every call of log(); the one setting of the process that is not an argument.
std::atomic<LogLevel> level_of_process{LogLevel::info};

// stderr, and the status line that stands in its last row.
class Stderr final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void show_status(std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (text == status_) return;
    status_ = text;
    draw_status();
    std::fflush(stderr);
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (!status_.empty()) std::fputs("\r\x1b[K", stderr);
    std::fwrite(line.data(), 1, line.size(), stderr);
    if (!status_.empty()) draw_status();
  }
  void flush_() override { std::fflush(stderr); }

 private:
  void draw_status() const {
    std::fputs("\r", stderr);
    std::fwrite(status_.data(), 1, status_.size(), stderr);
    std::fputs("\x1b[K", stderr);
  }

  std::string status_;
};

// The process has one stderr; the logger that owns it lives as long.
struct Logger {
  std::shared_ptr<Stderr> sink =
      std::make_shared<Stderr>();  // shared: spdlog's logger holds it too
  spdlog::logger logger{"herd", sink};

  Logger() {
    logger.set_pattern("%H:%M:%S.%e %v");
    logger.set_level(spdlog::level::trace);
    logger.flush_on(spdlog::level::trace);
  }
};

Logger& process_logger() {
  static Logger logger;
  return logger;
}

}  // namespace

Result<LogLevel> parse_log_level(std::string_view text) {
  for (std::size_t i = 0; i < level_names.size(); ++i)
    if (level_names[i] == text) return static_cast<LogLevel>(i);
  return fail_with_hint(
      Code::usage,
      fmt::format("log level is {}, wanted one of {}", shown(text), fmt::join(level_names, ", ")),
      did_you_mean(text, level_names));
}

Result<LogLevel> choose_log_level(std::string_view flag) {
  if (!flag.empty()) return parse_log_level(flag);
  const char* environment = std::getenv("HERD_LOG");
  if (environment == nullptr || *environment == '\0') return LogLevel::info;
  auto level = parse_log_level(environment);
  if (!level) return std::unexpected(std::move(level).error().in("HERD_LOG"));
  return level;
}

void set_log_level(LogLevel level) { level_of_process.store(level, std::memory_order_relaxed); }

LogLevel log_level() { return level_of_process.load(std::memory_order_relaxed); }

void log_text(LogLevel level, std::string_view text) {
  if (level < log_level()) return;
  process_logger().logger.info("{:<5} {}", level_names[static_cast<std::size_t>(level)],
                               escape_controls(text));
}

std::string escape_controls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u;
    if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      out += fmt::format("\\x{:02x}", next);  // some terminals obey U+0080 to U+009F
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

void show_status_line(std::string_view text) { process_logger().sink->show_status(text); }

}  // namespace herd
