#include "engine/testing/simulator.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace herd::engine {
namespace {

TEST(Simulator, TwoThousandSeedsBreakNoRule) {
  SimulationResult sum;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const SimulationResult result = simulate(seed);
    ASSERT_EQ(result.violation, "") << "seed " << seed;
    sum.requests += result.requests;
    sum.preemptions += result.preemptions;
    sum.reused += result.reused;
    sum.cancelled += result.cancelled;
    sum.expired += result.expired;
    sum.refused += result.refused;
    sum.guesses_right += result.guesses_right;
    sum.guesses_wrong += result.guesses_wrong;
    sum.longest_wait = std::max(sum.longest_wait, result.longest_wait);
  }
  // It was worth it: all of this happened, often.
  EXPECT_GT(sum.requests, 20'000);
  EXPECT_GT(sum.preemptions, 500);
  EXPECT_GT(sum.reused, 20'000);
  EXPECT_GT(sum.cancelled, 1'000);
  EXPECT_GT(sum.expired, 1'000);
  EXPECT_GT(sum.refused, 500);
  EXPECT_GT(sum.guesses_right, 5'000);
  EXPECT_GT(sum.guesses_wrong, 2'000);
  RecordProperty("longest_wait", static_cast<int>(sum.longest_wait));
}

TEST(Simulator, TheSameSeedMakesTheSamePlans) {
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    EXPECT_EQ(simulate(seed).trace, simulate(seed).trace) << "seed " << seed;
  EXPECT_NE(simulate(1).trace, simulate(2).trace);
}

class PlantedFault : public testing::TestWithParam<FaultRow> {};

// A broken rule, or a HERD_CHECK that fails, in one of the first seeds.
TEST_P(PlantedFault, IsFound) {
  const auto search = [] {
    for (std::uint64_t seed = 0; seed < 2000; ++seed)
      if (!simulate(seed, Faults(GetParam().fault)).violation.empty()) std::_Exit(3);
    std::_Exit(0);
  };
  const auto found = [](int status) {
    return (WIFEXITED(status) && WEXITSTATUS(status) == 3) ||
           (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  };
  GTEST_FLAG_SET(death_test_style, "fast");
  EXPECT_EXIT(search(), found, "");
}

INSTANTIATE_TEST_SUITE_P(Simulator, PlantedFault, testing::ValuesIn(fault_table),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace herd::engine
