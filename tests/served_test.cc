// The long run of src/engine/testing/served.h: 1,000 requests on each model.
#include "engine/testing/served.h"

#include <gtest/gtest.h>

namespace herd::engine {
namespace {

class ThousandRequests : public testing::TestWithParam<const char*> {};

TEST_P(ThousandRequests, GetTheAnswersTheyGetAlone) {
  Served served(HERD_ROOT, GetParam());
  std::int64_t answers = 0;
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    const ServedResult result = served.run(seed, 50);
    ASSERT_EQ(result.wrong, "") << "seed " << seed;
    ASSERT_EQ(result.pages_lost, 0) << "seed " << seed;
    answers += result.answers;
  }
  EXPECT_EQ(answers, 1000);
}

INSTANTIATE_TEST_SUITE_P(Slow, ThousandRequests,
                         testing::Values("chunks", "scout", "maverick", "vision", "cria"),
                         [](const auto& model) { return std::string(model.param); });

}  // namespace
}  // namespace herd::engine
