#include "server/traffic.h"

#include <gtest/gtest.h>

namespace herd::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Traffic::Clock::time_point start{};

// A37: sixty come, the sixty-first is told when to come back, and may then.
TEST(Traffic, A37CountsTheRequestsOfAMinute) {
  Traffic traffic;
  const KeyLimits limits{.requests_per_minute = 60};
  for (int i = 0; i < 60; ++i) {
    const Traffic::Verdict verdict = traffic.take("a", limits, start);
    EXPECT_TRUE(verdict.admitted);
    EXPECT_EQ(verdict.remaining, 59 - i);
  }
  const Traffic::Verdict refused = traffic.take("a", limits, start);
  EXPECT_FALSE(refused.admitted);
  EXPECT_FALSE(refused.too_many_at_once);
  EXPECT_DOUBLE_EQ(refused.retry_after_s, 1);
  EXPECT_DOUBLE_EQ(refused.reset_s, 60);
  EXPECT_FALSE(traffic.take("a", limits, start + milliseconds(990)).admitted);
  EXPECT_TRUE(traffic.take("a", limits, start + milliseconds(1000)).admitted);
  EXPECT_FALSE(traffic.take("a", limits, start + milliseconds(1001)).admitted);
  // Other keys have buckets of their own, and a full one holds no more than a minute's.
  EXPECT_EQ(traffic.take("b", limits, start).remaining, 59);
  EXPECT_EQ(traffic.take("a", limits, start + seconds(3600)).remaining, 59);
  // A slow key waits longer than a second; a clock that steps back gives nothing.
  const KeyLimits slow{.requests_per_minute = 1};
  EXPECT_TRUE(traffic.take("c", slow, start + seconds(100)).admitted);
  EXPECT_DOUBLE_EQ(traffic.take("c", slow, start + seconds(110)).retry_after_s, 50);
  EXPECT_FALSE(traffic.take("c", slow, start).admitted);
}

TEST(Traffic, CountsWhatIsBeingAnswered) {
  Traffic traffic;
  const KeyLimits limits{.concurrent = 2};
  Traffic::Verdict one = traffic.take("a", limits, start);
  const Traffic::Verdict two = traffic.take("a", limits, start);
  const Traffic::Verdict refused = traffic.take("a", limits, start);
  EXPECT_FALSE(refused.admitted);
  EXPECT_TRUE(refused.too_many_at_once);
  EXPECT_GE(refused.retry_after_s, 1);
  const Ticket copy = one.ticket;
  one.ticket.reset();
  EXPECT_FALSE(traffic.take("a", limits, start).admitted) << "a copy of the request still lives";
  one = {};
  EXPECT_TRUE(traffic.take("b", limits, start).admitted);
  {
    const Ticket last = copy;
  }
  EXPECT_FALSE(traffic.take("a", limits, start).admitted);
}

TEST(Traffic, GivesPlacesBackAndLimitsOnlyWhoHasLimits) {
  Traffic traffic;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(traffic.take("a", {.concurrent = 1}, start).admitted);
  for (int i = 0; i < 1000; ++i) {
    const Traffic::Verdict verdict = traffic.take("b", {}, start);
    EXPECT_TRUE(verdict.admitted);
    EXPECT_EQ(verdict.ticket.use_count(), 0) << "nothing to count";
  }
  // A ticket may outlive the server.
  Ticket ticket;
  {
    Traffic gone;
    ticket = gone.take("a", {.concurrent = 1}, start).ticket;
  }
  ticket.reset();
}

}  // namespace
}  // namespace herd::server
