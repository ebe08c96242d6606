#include "train/balance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace herd::train {
namespace {

std::vector<float> random_logits(std::size_t count) {
  std::vector<float> logits;
  for (std::size_t i = 0; i < count; ++i)
    logits.push_back(static_cast<float>(4 * uniform(9, i) - 2));
  return logits;
}

TEST(BalanceGradient, IsTheDifferenceOfTheLoss) {
  const std::vector<std::int64_t> count{5, 0, 2, 1};
  const BalanceOptions options{.pull = 0.7, .z_pull = 0.3};
  std::vector<float> logits = random_logits(32), gradient(32), unused(32);
  balance_gradient(logits, count, options, 1.0, gradient);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float before = logits[i];
    const auto moved = [&](float by) {
      logits[i] = before + by;
      return balance_gradient(logits, count, options, 1.0, unused);
    };
    const double wanted = (moved(0.01f) - moved(-0.01f)) / 0.02;
    logits[i] = before;
    EXPECT_NEAR(double{gradient[i]}, wanted, 1e-5) << i;
  }
}

TEST(BalanceGradient, IsThePullAtEvenLoadsAndPointsAwayFromFullExperts) {
  const BalanceOptions options{.pull = 0.25, .z_pull = 0};
  const std::vector<float> logits = random_logits(12);
  std::vector<float> gradient(12);
  EXPECT_NEAR(balance_gradient(logits, std::vector<std::int64_t>{4, 4, 4}, options, 1, gradient),
              0.25, 1e-6);
  balance_gradient(logits, std::vector<std::int64_t>{4, 0, 0}, options, 1, gradient);
  for (std::size_t t = 0; t < 4; ++t) {
    EXPECT_GT(gradient[3 * t], 0) << "going down lowers the full expert's score";
    EXPECT_LT(gradient[3 * t + 1], 0);
  }
}

TEST(BalanceLoad, TellsTheBusiestAndTheUnused) {
  const Balance::Load load{.count = {6, 0, 3, 3}};
  EXPECT_DOUBLE_EQ(load.max_over_mean(), 2.0);
  EXPECT_EQ(load.unused(), 1);
}

}  // namespace
}  // namespace herd::train
