// How far a long task is, on stderr: one line redrawn in place where stderr is a terminal, otherwise a line now and
// then, and none at all for what is done within two seconds.
//
//   Progress progress("loading", total_bytes);
//   progress.add(n);                            // from any thread
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace herd {

enum class ProgressUnit : std::uint8_t { bytes, items };

// "loading  43 %  4.3 of 10.0 GB  1.2 GB/s  5 s left". `total` 0 means unknown: no share and no end are named.
std::string progress_text(std::string_view title, std::uint64_t done, std::uint64_t total,
                          double seconds, ProgressUnit unit);

class Progress {
 public:
  // Where the text goes and what time it is; a test brings its own.
  struct Output {
    bool terminal = false;
    std::function<void(std::string_view)> status;  // redraws the one line; empty text takes it away
    std::function<void(std::string_view)> line;    // prints a line that stays
    std::function<double()> seconds;               // a clock that never goes back
  };

  Progress(std::string title, std::uint64_t total, ProgressUnit unit = ProgressUnit::bytes);
  Progress(std::string title, std::uint64_t total, ProgressUnit unit, Output output);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  // Takes the line away from a terminal; elsewhere says how long a task took that was long enough to be mentioned.
  ~Progress();

  // `count` more bytes or items are done. Draws at most ten times a second.
  void add(std::uint64_t count);

 private:
  void draw(double now);

  std::string title_;
  std::uint64_t total_;
  ProgressUnit unit_;
  Output output_;
  double begin_ = 0;
  std::atomic<std::uint64_t> done_{0};
  std::atomic<double> next_draw_{0};
  std::mutex drawing_;
  bool mentioned_ = false;
};

}  // namespace herd
