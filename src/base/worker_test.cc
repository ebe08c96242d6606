#include "base/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace herd {
namespace {

TEST(Worker, RunsItsBodyUntilItIsAskedToStopAndIsWaitedFor) {
  std::atomic<int> rounds = 0;
  std::atomic<bool> ended = false;
  {
    Worker worker("a name longer than fifteen", [&](std::stop_token stop) {
      while (!stop.stop_requested()) {
        ++rounds;
        std::this_thread::yield();
      }
      ended = true;
    });
    while (rounds < 3) std::this_thread::yield();
    EXPECT_FALSE(ended);
  }
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace herd
