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
  std::int64_t cancelled = 0;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const ServedResult result = served.run(seed, 25);
    EXPECT_EQ(result.wrong, "") << "seed " << seed;
    EXPECT_EQ(result.pages_lost, 0) << "seed " << seed;
    sum.preemptions += result.state.preemptions;
    sum.reused_tokens += result.state.reused_tokens;
    sum.drafted_tokens += result.state.drafted_tokens;
    sum.pictures_seen += result.state.pictures_seen;
    cancelled += result.cancelled;
  }
  // All that might have changed an answer did happen.
  EXPECT_GT(sum.preemptions, 0u);
  // topk2's chunk of 24 meets a page of 64 only every 192 tokens.
  if (std::string(GetParam()) != "topk2") {
    EXPECT_GT(sum.reused_tokens, 100u);
  }
  EXPECT_GT(sum.drafted_tokens, 10u);
  EXPECT_GT(cancelled, 0);
  if (std::string(GetParam()) == "vision") {
    EXPECT_GT(sum.pictures_seen, 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Engine, ServedModel,
                         testing::Values("chunks", "scout", "maverick", "topk2", "fp8", "twelve",
                                         "vision", "onelayer", "cria"),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace herd::engine
