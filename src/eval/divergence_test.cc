#include "eval/divergence.h"

#include <gtest/gtest.h>

#include <cmath>

namespace herd::eval {
namespace {

TEST(Divergence, SurpriseIsOfTheSoftmax) {
  const std::vector<float> logits{0.0f, std::log(3.0f)};  // 1/4, 3/4
  EXPECT_NEAR(surprise(logits, 0), std::log(4.0), 1e-6);
  EXPECT_NEAR(surprise(logits, 1), std::log(4.0 / 3), 1e-6);
  const std::vector<float> large{1000.0f, 1000.0f};  // no overflow
  EXPECT_NEAR(surprise(large, 0), std::log(2.0), 1e-9);
}

TEST(Divergence, OfTwoCoins) {
  const std::vector<float> p{0.0f, std::log(3.0f)}, q{std::log(3.0f), 0.0f};
  const RowDivergence row = divergence(p, q);
  // 1/4 log(1/3) + 3/4 log(3)
  EXPECT_NEAR(row.kl, 0.5 * std::log(3.0), 1e-6);
  EXPECT_FALSE(row.same_top);
  const std::vector<float> shifted{5.0f, std::log(3.0f) + 5.0f};
  EXPECT_NEAR(divergence(p, shifted).kl, 0, 1e-6);
  EXPECT_TRUE(divergence(p, shifted).same_top);
}

TEST(Divergence, TotalsCountAndRank) {
  DivergenceTotals totals;
  EXPECT_EQ(totals.mean_kl(), 0);
  for (int i = 1; i <= 200; ++i) totals.add({.kl = i * 0.01, .same_top = i % 4 != 0});
  EXPECT_EQ(totals.rows(), 200);
  EXPECT_NEAR(totals.mean_kl(), 1.005, 1e-12);
  EXPECT_NEAR(totals.top_agreement(), 0.75, 1e-12);
  EXPECT_NEAR(totals.kl_quantile(0.99), 1.98, 1e-12);
  EXPECT_NEAR(totals.kl_quantile(1), 2, 1e-12);
  EXPECT_NEAR(totals.kl_quantile(0), 0.01, 1e-12);
}

}  // namespace
}  // namespace herd::eval
