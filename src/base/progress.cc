#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cmath>
#include <utility>

#include "base/log.h"

namespace herd {
namespace {

constexpr double terminal_interval_seconds = 0.1;
constexpr double quiet_seconds = 2;
constexpr double line_interval_seconds = 10;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Progress::Output standard_error() {
  return {::isatty(STDERR_FILENO) == 1, [](std::string_view text) { show_status_line(text); },
          [](std::string_view text) { log_text(LogLevel::info, text); }, steady_seconds};
}

struct Scale {
  double divisor;
  std::string_view name;
};

// Decimal units, as disks and networks are sold.
Scale scale_of(double amount, ProgressUnit unit) {
  if (unit == ProgressUnit::items) return {1, ""};
  constexpr std::array<Scale, 4> scales{{{1e12, " TB"}, {1e9, " GB"}, {1e6, " MB"}, {1e3, " kB"}}};
  for (const Scale& scale : scales)
    if (amount >= scale.divisor) return scale;
  return {1, " B"};
}

std::string amount_text(double amount, const Scale& scale) {
  return fmt::format("{:.{}f}", amount / scale.divisor, scale.divisor > 1 ? 1 : 0);
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace

std::string progress_text(std::string_view title, std::uint64_t done, std::uint64_t total,
                          double seconds, ProgressUnit unit) {
  const auto finished = static_cast<double>(done), all = static_cast<double>(total);
  const Scale scale = scale_of(total > 0 ? all : finished, unit);
  std::string text(title);
  if (total > 0) {
    // Never "100 %" before the end.
    const double share = finished >= all ? 100 : std::min(99.0, finished / all * 100);
    text += fmt::format("  {:.0f} %  {} of {}{}", share, amount_text(finished, scale),
                        amount_text(all, scale), scale.name);
  } else {
    text += fmt::format("  {}{}", amount_text(finished, scale), scale.name);
  }
  // A rate from less than half a second is noise.
  if (seconds < 0.5 || done == 0) return text;
  const double rate = finished / seconds;
  const Scale rate_scale = scale_of(rate, unit);
  text += fmt::format("  {:.1f}{}/s", rate / rate_scale.divisor, rate_scale.name);
  if (total > done) text += fmt::format("  {} left", duration_text((all - finished) / rate));
  return text;
}

Progress::Progress(std::string title, std::uint64_t total, ProgressUnit unit)
    : Progress(std::move(title), total, unit, standard_error()) {}

Progress::Progress(std::string title, std::uint64_t total, ProgressUnit unit, Output output)
    : title_(std::move(title)), total_(total), unit_(unit), output_(std::move(output)) {
  begin_ = output_.seconds();
  next_draw_ = begin_ + (output_.terminal ? terminal_interval_seconds : quiet_seconds);
}

Progress::~Progress() {
  if (output_.terminal) {
    if (mentioned_) output_.status("");
  } else if (mentioned_) {
    output_.line(fmt::format("{}  took {}", title_, duration_text(output_.seconds() - begin_)));
  }
}

void Progress::add(std::uint64_t count) {
  done_.fetch_add(count, std::memory_order_relaxed);
  const double now = output_.seconds();
  if (now < next_draw_.load(std::memory_order_relaxed)) return;
  // Whoever comes first draws; nobody waits for it.
  const std::unique_lock lock(drawing_, std::try_to_lock);
  if (lock && now >= next_draw_.load(std::memory_order_relaxed)) draw(now);
}

void Progress::draw(double now) {
  const std::uint64_t done = done_.load(std::memory_order_relaxed);
  const std::string text = progress_text(title_, done, total_, now - begin_, unit_);
  mentioned_ = true;
  if (output_.terminal) {
    output_.status(text);
    next_draw_ = now + terminal_interval_seconds;
  } else {
    output_.line(text);
    next_draw_ = now + line_interval_seconds;
  }
}

}  // namespace herd
