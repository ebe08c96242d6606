#include "train/balance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "ops/context.h"

namespace herd::train {
namespace {

std::vector<float> random_logits(std::size_t count) {
  std::vector<float> logits;
  for (std::size_t i = 0; i < count; ++i)
    logits.push_back(static_cast<float>(4 * uniform(9, i) - 2));
  return logits;
}

TEST(BalanceGradient, IsTheDifferenceOfTheLoss) {
  const std::vector<double> fraction{5.0 / 8, 0, 2.0 / 8, 1.0 / 8};
  const BalanceOptions options{.pull = 0.7, .z_pull = 0.3};
  std::vector<float> logits = random_logits(32), gradient(32), unused(32);
  balance_gradient(logits, fraction, options, 1.0, gradient);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float before = logits[i];
    const auto moved = [&](float by) {
      logits[i] = before + by;
      return balance_gradient(logits, fraction, options, 1.0, unused);
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
  EXPECT_NEAR(balance_gradient(logits, std::vector<double>(3, 1.0 / 3), options, 1, gradient), 0.25,
              1e-6);
  balance_gradient(logits, std::vector<double>{1, 0, 0}, options, 1, gradient);
  for (std::size_t t = 0; t < 4; ++t) {
    EXPECT_GT(gradient[3 * t], 0) << "going down lowers the full expert's score";
    EXPECT_LT(gradient[3 * t + 1], 0);
  }
}

// Tokens of a batch, by the expert they go to, as the model shows them to the context's watch.
void show(Balance& balance, Context& ctx, std::vector<std::int32_t> experts, double share) {
  const Tensor chosen = ctx.empty({static_cast<std::int64_t>(experts.size()), 1}, DType::i32);
  std::ranges::copy(experts, chosen.as<std::int32_t>().begin());
  balance.saw(ctx, "experts", 3, chosen, share);
}

TEST(Balance, FractionsAreOfTheWholeStep) {
  ThreadPool pool(1);
  Context ctx(cpu_kernels(), pool);
  Balance balance({}, 2);
  show(balance, ctx, {0, 0, 0, 1}, 0.5);
  EXPECT_EQ(balance.fractions(3), (std::vector{0.75, 0.25})) << "the first step knows no other";
  show(balance, ctx, {1, 1, 1, 1}, 0.5);
  EXPECT_EQ(balance.fractions(3), (std::vector{0.375, 0.625}));
  show(balance, ctx, {0, 0}, 0);
  EXPECT_EQ(balance.fractions(3), (std::vector{0.375, 0.625})) << "what only measures counts not";

  balance.begin_step();
  show(balance, ctx, {0, 0}, 0.25);
  EXPECT_EQ(balance.fractions(3), (std::vector{0.25 + 0.75 * 0.375, 0.75 * 0.625}));
  show(balance, ctx, {1, 1, 1, 1, 1, 1}, 0.75);
  EXPECT_EQ(balance.fractions(3), (std::vector{0.25, 0.75})) << "the last piece sees all";

  Balance resumed({}, 2);
  resumed.set_counts(balance.counts());
  balance.begin_step();
  for (Balance* each : {&balance, &resumed}) show(*each, ctx, {0}, 0.5);
  EXPECT_EQ(resumed.fractions(3), balance.fractions(3));
}

TEST(BalanceLoad, TellsTheBusiestAndTheUnused) {
  const Balance::Load load{.count = {6, 0, 3, 3}};
  EXPECT_DOUBLE_EQ(load.max_over_mean(), 2.0);
  EXPECT_EQ(load.unused(), 1);
}

}  // namespace
}  // namespace herd::train
