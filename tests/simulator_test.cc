// The long run of src/engine/testing/simulator.h: 100,000 seeds, none of them looked at by the quick test.
#include "engine/testing/simulator.h"

#include <gtest/gtest.h>

namespace herd::engine {
namespace {

class ManySeeds : public testing::TestWithParam<int> {};

TEST_P(ManySeeds, BreakNoRule) {
  const auto first = 10'000 + static_cast<std::uint64_t>(GetParam()) * 10'000;
  for (std::uint64_t seed = first; seed < first + 10'000; ++seed)
    ASSERT_EQ(simulate(seed).violation, "") << "seed " << seed;
}

INSTANTIATE_TEST_SUITE_P(Slow, ManySeeds, testing::Range(0, 10));

}  // namespace
}  // namespace herd::engine
