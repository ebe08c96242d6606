#include "world/grade.h"

#include <gtest/gtest.h>

namespace herd::world {
namespace {

Sample graded(Check check, std::vector<std::string> accepted,
              std::vector<std::string> rejected = {}) {
  Sample sample;
  sample.check = check;
  sample.accepted = std::move(accepted);
  sample.rejected = std::move(rejected);
  return sample;
}

TEST(Grade, ComparesTexts) {
  EXPECT_TRUE(is_right(graded(Check::exact, {"a, b"}), " a, b\n"));
  EXPECT_FALSE(is_right(graded(Check::exact, {"a, b"}), "A, b"));
  EXPECT_TRUE(is_right(graded(Check::one_of, {"Yes", "Sure"}), "sure."));
  EXPECT_FALSE(is_right(graded(Check::one_of, {"Yes", "Sure"}), "surely"));
}

TEST(Grade, LooksAtTheConclusionOfWhatWasWorkedOut) {
  const Sample sample = graded(Check::conclusion, {"2"});
  EXPECT_TRUE(is_right(sample, "duck 1, hen, duck 2: 2"));
  EXPECT_TRUE(is_right(sample, "2."));
  EXPECT_FALSE(is_right(sample, "duck 1, hen, duck 2: 3"));
  EXPECT_FALSE(is_right(sample, "duck 1, hen, duck 2"));
}

TEST(Grade, FindsWholeWords) {
  const Sample sample = graded(Check::contains, {"art", "the park"}, {"zoo"});
  EXPECT_TRUE(is_right(sample, "It is Art."));
  EXPECT_TRUE(is_right(sample, "Tom is in the park."));
  EXPECT_FALSE(is_right(sample, "a party"));
  EXPECT_FALSE(is_right(sample, "It is art in the zoo."));
  EXPECT_FALSE(is_right(graded(Check::contains, {"12"}), "128"));
  EXPECT_FALSE(is_right(graded(Check::contains, {"ναι"}), "ναις"));
}

TEST(Grade, AllowsFivePercent) {
  const Sample sample = graded(Check::number, {"80"});
  EXPECT_TRUE(is_right(sample, "about 84."));
  EXPECT_FALSE(is_right(sample, "84.1"));
  EXPECT_FALSE(is_right(sample, "-80"));
  EXPECT_FALSE(is_right(sample, "eighty"));
}

TEST(Grade, ComparesCallsWhateverTheirOrderAndDialect) {
  const Sample sample = graded(
      Check::tool_calls,
      {R"([{"name": "f", "parameters": {"a": 1, "b": "x y"}}, {"name": "g", "parameters": {}}])"});
  EXPECT_TRUE(is_right(
      sample, R"(<|python_start|><|python_end|>{"name": "g", "parameters": {}}{"name": "f", )"
              R"("parameters": {"b": "x y", "a": 1}})"));
  EXPECT_TRUE(is_right(sample, R"([f(a=1, b='x y'), g()])"));
  EXPECT_FALSE(is_right(sample, R"([f(a=2, b='x y'), g()])"));
  EXPECT_FALSE(is_right(sample, R"([g()])"));
  EXPECT_FALSE(is_right(sample, R"(I will call {"name": "g", "parameters": {}})"));
  EXPECT_FALSE(is_right(sample, R"({"name": "g", "parameters": {})"));
}

TEST(Grade, ComparesJsonByValue) {
  const Sample sample = graded(Check::json, {R"({"a": 1, "b": [true]})"});
  EXPECT_TRUE(is_right(sample, R"({"b":[true],"a":1})"));
  EXPECT_FALSE(is_right(sample, R"({"a": "1", "b": [true]})"));
  EXPECT_FALSE(is_right(sample, "{"));
}

}  // namespace
}  // namespace herd::world
