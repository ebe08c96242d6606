#include "base/nearest.h"

#include <gtest/gtest.h>

#include <array>

namespace herd {
namespace {

TEST(EditDistance, CountsInsertsDeletesReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("abc", "abd"), 1u);
  EXPECT_EQ(edit_distance("abc", "ab"), 1u);
  EXPECT_EQ(edit_distance("abcd", "abdc"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Nearest, FindsATypingErrorAndNothingFarAway) {
  constexpr std::array<std::string_view, 4> names{"temperature", "top_k", "top_p", "seed"};
  EXPECT_EQ(nearest("temprature", names), "temperature");
  EXPECT_EQ(nearest("tpo_p", names), "top_p");
  EXPECT_EQ(nearest("top_q", names), "top_k");  // the first of equals
  EXPECT_EQ(nearest("x", names), std::nullopt);
  EXPECT_EQ(nearest("frequency", names), std::nullopt);
  EXPECT_EQ(nearest("", names), std::nullopt);
  EXPECT_EQ(did_you_mean("sede", names), "did you mean 'seed'?");
  EXPECT_EQ(did_you_mean("zzzz", names), "");
}

// The table of a megabyte-long word would be a way to stop the program.
TEST(Nearest, DoesNotWorkOnLongWords) {
  const std::string word(65, 'a');
  const std::array<std::string_view, 1> names{word};
  EXPECT_EQ(nearest(std::string_view(word).substr(0, 64), names), word);
  EXPECT_EQ(nearest(word, names), std::nullopt);
}

TEST(Nearest, TakesCapitalsForSmallLetters) {
  constexpr std::string_view types[] = {"q4_k_m", "q5_k_m", "iq4_nl"};
  EXPECT_EQ(nearest("Q4_K_M", types), "q4_k_m");
  EXPECT_EQ(nearest("IQ4_XL", types), "iq4_nl");
}

}  // namespace
}  // namespace herd
