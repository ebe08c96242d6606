#include "base/interrupt.h"

#include <atomic>

#include "base/check.h"

namespace herd {
namespace {

// A signal handler can reach nothing but globals. request_stop() is a compare-and-swap as long as nobody registers
// callbacks on the token, which no code here does.
std::atomic<std::stop_source*> listening{nullptr};
static_assert(std::atomic<std::stop_source*>::is_always_lock_free);

void on_interrupt(int) {
  if (std::stop_source* source = listening.load()) source->request_stop();
}

}  // namespace

Interrupt::Interrupt(Hears hears) : hears_(hears), former_interrupt_{}, former_termination_{} {
  HERD_CHECK(listening.exchange(&source_) == nullptr, "two interrupts at a time");
  struct sigaction action{};
  // Without SA_RESTART: a blocked read returns and the caller can look.
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &former_interrupt_);
  if (hears_ == Hears::ctrl_c_and_termination) ::sigaction(SIGTERM, &action, &former_termination_);
}

Interrupt::~Interrupt() {
  ::sigaction(SIGINT, &former_interrupt_, nullptr);
  if (hears_ == Hears::ctrl_c_and_termination) ::sigaction(SIGTERM, &former_termination_, nullptr);
  listening.store(nullptr);
}

}  // namespace herd
