#include "base/interrupt.h"

#include <atomic>
#include <csignal>

#include "base/check.h"

namespace herd {
namespace {

// A signal handler can reach nothing but globals. request_stop() is a compare-and-swap as long as nobody registers
// callbacks on the token, which no code here does.
std::atomic<std::stop_source*> listening{nullptr};
static_assert(std::atomic<std::stop_source*>::is_always_lock_free);

struct sigaction former;

void on_interrupt(int) {
  if (std::stop_source* source = listening.load()) source->request_stop();
}

}  // namespace

Interrupt::Interrupt() {
  HERD_CHECK(listening.exchange(&source_) == nullptr, "two interrupts at a time");
  struct sigaction action{};
  // Without SA_RESTART: a blocked read returns and the caller can look.
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &former);
}

Interrupt::~Interrupt() {
  ::sigaction(SIGINT, &former, nullptr);
  listening.store(nullptr);
}

}  // namespace herd
