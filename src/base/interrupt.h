// Ctrl-C as a request: while an Interrupt lives, SIGINT does not end the program but asks whoever holds the token to
// stop. What runs for hours hears SIGTERM the same way, which is what a machine sends that goes down.
#pragma once

#include <csignal>
#include <stop_token>

namespace herd {

// One at a time in the process. The signals' former handling returns with the destructor.
class Interrupt {
 public:
  enum class Hears { ctrl_c, ctrl_c_and_termination };

  explicit Interrupt(Hears hears = Hears::ctrl_c);
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  ~Interrupt();

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }
  [[nodiscard]] bool requested() const { return source_.stop_requested(); }

 private:
  std::stop_source source_;
  Hears hears_;
  struct sigaction former_interrupt_, former_termination_;
};

}  // namespace herd
