#include "engine/generate.h"

#include <gtest/gtest.h>

namespace herd::engine {
namespace {

// However the text is cut, what comes out is everything before the first stop string.
TEST(StopStrings, AnyCutOfTheTextGivesTheSame) {
  const std::string text = "one two END three";
  const std::vector<std::string> stops{"END", "two X", "three four"};
  for (std::size_t a = 0; a <= text.size(); ++a)
    for (std::size_t b = a; b <= text.size(); ++b) {
      StopStrings filter(stops);
      std::string out;
      for (const std::string& piece : {text.substr(0, a), text.substr(a, b - a), text.substr(b)}) {
        if (filter.found()) break;
        out += filter.push(piece);
      }
      EXPECT_TRUE(filter.found());
      EXPECT_EQ(out, "one two ");
    }
}

TEST(StopStrings, GivesBackWhatItHeldWhenNothingCameOfIt) {
  StopStrings filter({"stop"});
  EXPECT_EQ(filter.push("a st"), "a ");
  EXPECT_EQ(filter.push("ar sto"), "star ");
  EXPECT_EQ(filter.finish(), "sto");
  EXPECT_FALSE(filter.found());
}

TEST(StopStrings, TheEarliestOfSeveralWins) {
  StopStrings filter({"b", "ab"});
  EXPECT_EQ(filter.push("xaby"), "x");
  EXPECT_TRUE(filter.found());
}

}  // namespace
}  // namespace herd::engine
