// Ctrl-C as a request: while an Interrupt lives, SIGINT does not end the program but asks whoever holds the token to
// stop.
#pragma once

#include <stop_token>

namespace herd {

// One at a time in the process. The signal's former handling returns with the destructor.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  [[nodiscard]] bool requested() const { return source_.stop_requested(); }

 private:
  std::stop_source source_;
};

}  // namespace herd
