#include "engine/speculate.h"

#include <gtest/gtest.h>

namespace herd::engine {
namespace {

using Tokens = std::vector<std::int32_t>;

Tokens list(std::span<const std::int32_t> tokens) { return {tokens.begin(), tokens.end()}; }

TEST(Speculator, GuessesWhatFollowedTheLastTokensBefore) {
  Speculator speculator(Tokens{1, 2, 3, 4, 5, 6, 9, 1, 2}, {}, 2);
  EXPECT_EQ(list(speculator.guess()), (Tokens{3, 4}));
  speculator.push(3);
  EXPECT_EQ(list(speculator.guess()), (Tokens{4, 5}));
  speculator.push(7);
  EXPECT_EQ(list(speculator.guess()), Tokens{});
}

TEST(Speculator, TheLatestOfSeveralPlacesIsBetter) {
  Speculator speculator(Tokens{1, 2, 3, 1, 2, 4, 1, 2}, {}, 1);
  EXPECT_EQ(list(speculator.guess()), Tokens{4});
}

TEST(Speculator, FollowsThePredictionFromItsStartAndComesBackToIt) {
  Speculator speculator(Tokens{50, 51}, Tokens{1, 2, 3, 4, 5, 6, 7}, 3);
  EXPECT_EQ(list(speculator.guess()), (Tokens{1, 2, 3}));
  EXPECT_TRUE(speculator.from_prediction());
  speculator.push(1);
  speculator.push(9);  // leaves it
  EXPECT_EQ(list(speculator.guess()), Tokens{});
  speculator.push(4);
  speculator.push(5);  // is back
  EXPECT_EQ(list(speculator.guess()), (Tokens{6, 7}));
  EXPECT_TRUE(speculator.from_prediction());
}

TEST(Speculator, IsQuietForAWhileAfterWrongGuessesOnly) {
  Tokens prompt;
  for (int i = 0; i < 20; ++i) prompt.insert(prompt.end(), {1, 2});
  Speculator speculator(prompt, {}, 4);
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(speculator.guess().empty());
    speculator.learn(1, 0);
  }
  EXPECT_TRUE(speculator.guess().empty());
  int quiet = 1;
  while (speculator.guess().empty()) ++quiet;
  EXPECT_EQ(quiet, 4);
  speculator.learn(1, 1);
  EXPECT_FALSE(speculator.guess().empty());
}

TEST(Speculator, NeverGuessesMoreThanItMayOrAtAllWithZero) {
  EXPECT_TRUE(Speculator(Tokens{1, 2, 3, 1, 2}, Tokens{5}, 0).guess().empty());
}

TEST(DraftMeter, TurnsGuessingOffWhereItDoesNotPayAndOnWhereItDoes) {
  for (const double with : {0.5, 2.0}) {
    DraftMeter meter;
    int wanted = 0;
    for (int step = 0; step < 1000; ++step) {
      const bool guesses = meter.wants(4);
      wanted += guesses;
      meter.took(4, guesses, guesses ? with * 10 : 10.0, 10);
    }
    if (with < 1)
      EXPECT_GT(wanted, 950);
    else
      EXPECT_LT(wanted, 50);
  }
}

}  // namespace
}  // namespace herd::engine
