// Whatever else runs, each answer is what generate() says alone: on real models, step by step, without a thread.
#include "engine/stepper.h"

#include <gtest/gtest.h>

#include "engine/testing/served.h"

namespace herd::engine {
namespace {

class ServedModel : public testing::TestWithParam<const char*> {};

TEST_P(ServedModel, GivesEachRequestTheAnswerItGetsAlone) {
  Served served(HERD_ROOT, GetParam());
  EngineState sum;
  std::int64_t cancelled = 0, forced = 0, adapted = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const ServedResult result = served.run(seed, 30);
    EXPECT_EQ(result.wrong, "") << "seed " << seed;
    EXPECT_EQ(result.pages_lost, 0) << "seed " << seed;
    sum.preemptions += result.state.preemptions;
    sum.reused_tokens += result.state.reused_tokens;
    sum.drafted_tokens += result.state.drafted_tokens;
    sum.pictures_seen += result.state.pictures_seen;
    cancelled += result.cancelled;
    forced += result.forced;
    adapted += result.adapted;
  }
  // All that might have changed an answer did happen.
  EXPECT_GT(sum.preemptions, 0u);
  // topk2's chunk of 24 meets a page of 64 only every 192 tokens.
  if (std::string(GetParam()) != "topk2") {
    EXPECT_GT(sum.reused_tokens, 100u);
  }
  EXPECT_GT(sum.drafted_tokens, 10u);
  EXPECT_GT(cancelled, 0);
  EXPECT_GT(forced, 20);
  EXPECT_GT(adapted, 10);
  if (std::string(GetParam()) == "vision") {
    EXPECT_GT(sum.pictures_seen, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Engine, ServedModel,
                         testing::Values("chunks", "scout", "maverick", "topk2", "fp8", "twelve",
                                         "vision", "onelayer", "cria"),
                         [](const auto& model) { return std::string(model.param); });

nn::KvShape shape() {
  return {.chunk = {128, 0}, .heads = 2, .head_size = 64, .dtype = DType::bf16};
}

TEST(Stepper, PlansRoomForWhatIsAskedAndForOneFullSequenceAtLeast) {
  const EngineOptions options{.context = 1024, .sequences = 4, .kv_tokens = 2048};
  const auto room = Stepper::plan_room(shape(), options, 0);
  ASSERT_TRUE(room.has_value());
  EXPECT_EQ(room->global_pages, 2048 / 64 + 4);
  EXPECT_EQ(room->local_pages, 2 * 4 * 2);
  EXPECT_EQ(room->bytes, static_cast<std::uint64_t>(room->global_pages + room->local_pages) * 2 *
                             shape().bytes_per_block());
  EngineOptions few = options;
  few.kv_tokens = 1;
  EXPECT_EQ(Stepper::plan_room(shape(), few, 0)->global_pages, 1024 / 64);
}

TEST(Stepper, TakesAtMostHalfTheFreeMemoryUnlessOneSequenceNeedsMore) {
  const EngineOptions options{.context = 1024, .sequences = 64};
  const std::uint64_t page = 2 * shape().bytes_per_block();
  const auto all = Stepper::plan_room(shape(), options, page << 20);
  EXPECT_EQ(all->global_pages, 64 * 1024 / 64 + 64);
  const std::uint64_t little = 500 * page;
  const auto half = Stepper::plan_room(shape(), options, little);
  ASSERT_TRUE(half.has_value());
  EXPECT_LE(half->bytes, little / 2);
  EXPECT_GE(half->bytes, little / 3);
  const auto none = Stepper::plan_room(shape(), options, 10 * page);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, Code::memory_plan);
}

}  // namespace
}  // namespace herd::engine
