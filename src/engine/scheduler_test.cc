// What the scheduler does in situations that have a name; the simulator looks at all others.
#include "engine/scheduler.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace herd::engine {
namespace {

SchedulerOptions small() {
  return {.sequences = 2,
          .step_tokens = 16,
          .queue = 8,
          .context = 64,
          .layout = {.page = 4, .chunk = 0},
          .global_pages = 32,
          .local_pages = 0};
}

Arrival arrival(std::uint64_t id, std::int64_t length, const std::string& tenant = "a",
                std::int32_t priority = 0) {
  Arrival out;
  out.id = id;
  out.tenant = tenant;
  out.priority = priority;
  for (std::int64_t i = 0; i < length; ++i)
    out.keys.push_back(id * 1000 + static_cast<std::uint64_t>(i));
  return out;
}

// One step, told in a line: "1:0+8 2:0+8" are rows [0, 8) of requests 1 and 2; a draw ends in "!", "p2" is a
// preemption, "x2" a deadline.
std::string step(Scheduler& scheduler, std::int64_t now_ms) {
  const Plan& plan = scheduler.plan(now_ms);
  std::string told;
  for (const Plan::Preempted& preempted : plan.preempted) told += fmt::format("p{} ", preempted.id);
  for (const std::uint64_t id : plan.expired) told += fmt::format("x{} ", id);
  for (const Piece& piece : plan.pieces) {
    told += fmt::format("{}:{}+{}{} ", piece.id, piece.begin, piece.rows, piece.draws ? "!" : "");
    const std::vector<std::uint64_t> drawn(piece.draws ? 1 : 0, 7);
    scheduler.done(piece.id, drawn);
  }
  if (!told.empty()) told.pop_back();
  return told;
}

TEST(Scheduler, DecodesGoOnWhileALongPromptIsReadInPieces) {
  Scheduler scheduler(small(), {});
  ASSERT_TRUE(scheduler.submit(arrival(1, 4), 0));
  EXPECT_EQ(step(scheduler, 0), "1:0+4!");
  ASSERT_TRUE(scheduler.submit(arrival(2, 40), 0));
  EXPECT_EQ(step(scheduler, 1), "1:4+1! 2:0+15");
  EXPECT_EQ(step(scheduler, 2), "1:5+1! 2:15+15");
  EXPECT_EQ(step(scheduler, 3), "1:6+1! 2:30+10!");
  EXPECT_EQ(step(scheduler, 4), "1:7+1! 2:40+1!");
}

TEST(Scheduler, AShortPromptDoesNotWaitForALongOne) {
  Scheduler scheduler(small(), {});
  ASSERT_TRUE(scheduler.submit(arrival(1, 60), 0));
  ASSERT_TRUE(scheduler.submit(arrival(2, 6), 0));
  EXPECT_EQ(step(scheduler, 0), "1:0+10 2:0+6!");
}

TEST(Scheduler, PreemptsTheYoungestWhenPagesRunOutAndGoesOnWithItLater) {
  SchedulerOptions options = small();
  options.context = 16;
  options.global_pages = 5;
  options.prefix_cache = false;
  Scheduler scheduler(options, {});
  ASSERT_TRUE(scheduler.submit(arrival(1, 7), 0));
  ASSERT_TRUE(scheduler.submit(arrival(2, 6), 0));
  EXPECT_EQ(step(scheduler, 0), "1:0+7! 2:0+6!");  // two pages each
  EXPECT_EQ(step(scheduler, 1), "1:7+1! 2:6+1!");
  EXPECT_EQ(step(scheduler, 2), "1:8+1! 2:7+1!");  // the fifth
  EXPECT_EQ(step(scheduler, 3), "p2 1:9+1!");
  EXPECT_EQ(step(scheduler, 4), "1:10+1!");  // two pages are free, it needs three
  scheduler.finish(1);
  EXPECT_EQ(step(scheduler, 5), "2:0+9!");
  EXPECT_EQ(scheduler.find(2)->preemptions, 1);
}

TEST(Scheduler, TakesTurnsBetweenTenantsByTokens) {
  SchedulerOptions options = small();
  options.sequences = 1;
  Scheduler scheduler(options, {});
  for (std::uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(scheduler.submit(arrival(id, 8, "a"), 0));
  ASSERT_TRUE(scheduler.submit(arrival(4, 8, "b"), 0));
  EXPECT_EQ(step(scheduler, 0), "1:0+8!");
  scheduler.finish(1);
  EXPECT_EQ(step(scheduler, 1), "4:0+8!");
}

TEST(Scheduler, ATenantAboveItsShareMakesRoom) {
  Scheduler scheduler(small(), {});
  for (std::uint64_t id = 1; id <= 2; ++id) ASSERT_TRUE(scheduler.submit(arrival(id, 4, "a"), 0));
  EXPECT_EQ(step(scheduler, 0), "1:0+4! 2:0+4!");
  ASSERT_TRUE(scheduler.submit(arrival(3, 4, "b"), 1));
  EXPECT_EQ(step(scheduler, 1), "p2 1:4+1! 3:0+4!");
}

TEST(Scheduler, HigherPriorityGoesFirstAndWaitingMakesUpForIt) {
  SchedulerOptions options = small();
  options.sequences = 1;
  options.aging_ms = 100;
  options.preemptions = 0;
  Scheduler scheduler(options, {});
  ASSERT_TRUE(scheduler.submit(arrival(1, 4, "low", 0), 0));
  ASSERT_TRUE(scheduler.submit(arrival(2, 4, "high", 1), 0));
  EXPECT_EQ(step(scheduler, 0), "2:0+4!");
  scheduler.finish(2);
  ASSERT_TRUE(scheduler.submit(arrival(3, 4, "high", 1), 50));
  EXPECT_EQ(step(scheduler, 60), "3:0+4!");
  scheduler.finish(3);
  ASSERT_TRUE(scheduler.submit(arrival(4, 4, "high", 1), 210));
  EXPECT_EQ(step(scheduler, 220), "1:0+4!");  // two steps of age against one of priority
}

TEST(Scheduler, DropsWhatIsTooLateBeforeItCostsAnything) {
  SchedulerOptions options = small();
  options.sequences = 1;
  Scheduler scheduler(options, {});
  ASSERT_TRUE(scheduler.submit(arrival(1, 4), 0));
  Arrival late = arrival(2, 4);
  late.deadline_ms = 5;
  ASSERT_TRUE(scheduler.submit(std::move(late), 0));
  EXPECT_EQ(step(scheduler, 0), "1:0+4!");
  EXPECT_EQ(step(scheduler, 5), "x2 1:4+1!");
}

TEST(Scheduler, TheQueueIsBounded) {
  SchedulerOptions options = small();
  options.queue = 1;
  Scheduler scheduler(options, {});
  for (std::uint64_t id = 1; id <= 3; ++id) EXPECT_TRUE(scheduler.submit(arrival(id, 4), 0));
  EXPECT_FALSE(scheduler.submit(arrival(4, 4), 0));
  EXPECT_TRUE(scheduler.cancel(2));
  EXPECT_FALSE(scheduler.cancel(2));
  EXPECT_TRUE(scheduler.submit(arrival(4, 4), 0));
}

TEST(Scheduler, SeveralAnswersToOnePromptReadItOnce) {
  SchedulerOptions options = small();
  options.sequences = 4;
  options.step_tokens = 12;
  Scheduler scheduler(options, {});
  for (std::uint64_t id = 1; id <= 3; ++id) {
    Arrival same = arrival(9, 10);
    same.id = id;
    ASSERT_TRUE(scheduler.submit(std::move(same), 0));
  }
  EXPECT_EQ(step(scheduler, 0), "1:0+10!");
  EXPECT_EQ(step(scheduler, 1), "1:10+1! 2:8+2! 3:8+2!");
  EXPECT_EQ(scheduler.find(2)->reused, 8);
}

TEST(Scheduler, GuessesTakeOnlyRowsThatNobodyElseWants) {
  Scheduler scheduler(small(), {});
  ASSERT_TRUE(scheduler.submit(arrival(1, 4), 0));
  EXPECT_EQ(step(scheduler, 0), "1:0+4!");
  scheduler.propose(1, 3);
  EXPECT_EQ(step(scheduler, 1), "1:4+4!");
  ASSERT_TRUE(scheduler.submit(arrival(2, 40), 1));
  scheduler.propose(1, 3);
  EXPECT_EQ(step(scheduler, 2), "1:5+1! 2:0+15");
}

TEST(Scheduler, WaitsForPicturesThatAreBeingLookedAt) {
  Scheduler scheduler(small(), {});
  Arrival with_picture = arrival(1, 12);
  with_picture.ready = 5;
  ASSERT_TRUE(scheduler.submit(std::move(with_picture), 0));
  EXPECT_EQ(step(scheduler, 0), "1:0+5");
  EXPECT_EQ(step(scheduler, 1), "");
  scheduler.ready(1, 100);
  EXPECT_EQ(step(scheduler, 2), "1:5+7!");
}

}  // namespace
}  // namespace herd::engine
