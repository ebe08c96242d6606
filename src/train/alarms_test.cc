#include "train/alarms.h"

#include <gtest/gtest.h>

#include <cmath>

namespace herd::train {
namespace {

StepReport step(std::int64_t number, std::vector<std::int64_t> count) {
  return {.step = number, .loss = 1, .gradient = 1, .loads = {{5, std::move(count)}}};
}

// The alarms of `steps` steps of such loads.
std::vector<std::string> seen(Alarms& alarms, std::int64_t steps,
                              const std::vector<std::int64_t>& count) {
  std::vector<std::string> all;
  for (std::int64_t i = 1; i <= steps; ++i)
    for (std::string& text : alarms.see(step(i, count))) all.push_back(std::move(text));
  return all;
}

TEST(Alarms, TellOfACollapsedRouterOnce) {
  Alarms alarms;
  EXPECT_EQ(seen(alarms, 19, {60, 20, 10, 10}).size(), 0u);
  EXPECT_EQ(seen(alarms, 1, {50, 30, 10, 10}).size(), 0u) << "half is not more than half";
  const std::vector<std::string> told = seen(alarms, 70, {20, 60, 10, 10});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].starts_with("step 20: the router of layer 5 has collapsed")) << told[0];
  EXPECT_NE(told[0].find("60 % of them go to expert 1 of 4"), std::string::npos) << told[0];
  EXPECT_EQ(seen(alarms, 1, {25, 25, 25, 25}).size(), 0u);
  EXPECT_EQ(seen(alarms, 20, {20, 60, 10, 10}).size(), 1u) << "again, after it was over";
}

TEST(Alarms, ManyExpertsAreCrowdedEarlier) {
  std::vector<std::int64_t> count(64, 10);
  Alarms alarms;
  count[3] = 80;
  EXPECT_EQ(seen(alarms, 50, count).size(), 0u);
  count[3] = 120;  // 16 % of all, 10 times an even share
  EXPECT_EQ(seen(alarms, 50, count).size(), 1u);
}

TEST(Alarms, TellOfAnExpertThatNobodyUses) {
  Alarms alarms;
  EXPECT_EQ(seen(alarms, 99, {10, 0, 10, 10}).size(), 0u);
  EXPECT_EQ(seen(alarms, 1, {10, 1, 10, 10}).size(), 0u);
  const std::vector<std::string> told = seen(alarms, 250, {10, 0, 10, 10});
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].find("step 100: expert 1 of layer 5 has got no token"), std::string::npos)
      << told[0];
}

TEST(Alarms, TellOfWhatIsNoNumberEachTime) {
  Alarms alarms;
  StepReport bad = step(7, {1, 1, 1});
  bad.gradient = NAN;
  ASSERT_EQ(alarms.see(bad).size(), 1u);
  bad.gradient = 1;
  bad.loss = INFINITY;
  const std::vector<std::string> told = alarms.see(bad);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].find("step 7: the loss is inf"), std::string::npos) << told[0];
}

}  // namespace
}  // namespace herd::train
