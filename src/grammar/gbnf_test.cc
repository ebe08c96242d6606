#include "grammar/gbnf.h"

#include <gtest/gtest.h>

#include "grammar/grammar_for_test.h"
#include "grammar/limits.h"

namespace herd::grammar {
namespace {

using testing::matches;
using testing::take;

TEST(Gbnf, ReadsAnArithmeticGrammar) {
  const auto compiled = take(compile_gbnf(R"gbnf(# sums
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] ws term)*
term  ::= ident | num |
  "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]{1,3} ws
ws    ::= [ \t]*
)gbnf"));
  EXPECT_TRUE(matches(compiled, "(a + 12) * b_1 = 7\n"));
  EXPECT_TRUE(matches(compiled, "1=2\n3=4\n"));
  EXPECT_TRUE(matches(compiled, "((((x))))=y\n"));
  EXPECT_FALSE(matches(compiled, "1234=5\n"));
  EXPECT_FALSE(matches(compiled, "(a = 7\n"));
  EXPECT_FALSE(matches(compiled, "1=2"));
}

TEST(Gbnf, FollowsAllReadingsOfAnAmbiguousText) {
  const auto compiled =
      take(compile_gbnf("root ::= a \"c\" | b \"d\"\na ::= \"x\" a | \"x\"\nb ::= "
                        "\"x\" b \"y\" | \"x\""));
  EXPECT_TRUE(matches(compiled, "xxxc"));
  EXPECT_TRUE(matches(compiled, "xxxyyd"));
  EXPECT_FALSE(matches(compiled, "xxxyd"));
  EXPECT_FALSE(matches(compiled, "xxd"));
}

TEST(Gbnf, CountsWhatOnlyAStackCanCount) {
  const auto compiled = take(compile_gbnf("root ::= \"a\" root \"b\" | \"\""));
  EXPECT_TRUE(matches(compiled, std::string(300, 'a') + std::string(300, 'b')));
  EXPECT_FALSE(matches(compiled, std::string(300, 'a') + std::string(299, 'b')));
}

TEST(Gbnf, ReadsLiteralsClassesAndUnicode) {
  const auto compiled =
      take(compile_gbnf("root ::= \"\\\"\\x41\\u00e9\" [^a-z\\]]{2,} .? \"\xE2\x82\xAC\""));
  EXPECT_TRUE(matches(compiled,
                      "\"A\xC3\xA9"
                      "12\xE2\x82\xAC"));
  EXPECT_FALSE(matches(compiled,
                       "\"A\xC3\xA9"
                       "1]\xE2\x82\xAC"));
}

TEST(Gbnf, NamesWhatIsWrongAndWhere) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"a ::= \"x\"", "no rule named root"},
      {"root ::= b", "nowhere defined"},
      {"root ::= root \"x\" | \"y\"", "left recursion"},
      {"root ::= a \"x\"\na ::= e root\ne ::= \"\"", "no text matches"},
      {"root ::= a | \"z\"\na ::= e root \"x\"\ne ::= \"\" | \"q\"", "left recursion"},
      {"root ::= \"a\" root", "no text matches"},
      {"root ::= \"a\"\nroot ::= \"b\"", "line 2 of the grammar: rule 'root' is defined twice"},
      {"root ::= (\"a\"", "( without"},
      {"root ::= \"a", "without its end"},
      {"root ::= \"a\" )", "')' was not expected"},
      {"root ::= \"a\"{1001}", "more than 1000 repetitions"},
      {"root \"a\"", "::= was expected"},
      {"root ::= <[12]>", "'<' was not expected"}};
  for (const auto& [text, reason] : cases) {
    const auto compiled = compile_gbnf(text);
    ASSERT_FALSE(compiled) << text;
    EXPECT_NE(compiled.error().message.find(reason), std::string::npos)
        << text << ": " << compiled.error().message;
  }
}

TEST(Gbnf, NestsAsDeepAsTheLimitAndNoDeeper) {
  const auto nested = [](std::size_t depth) {
    return "root ::= " + std::string(depth, '(') + "\"a\"" + std::string(depth, ')');
  };
  EXPECT_TRUE(compile_gbnf(nested(limits::depth_max - 1)));
  EXPECT_FALSE(compile_gbnf(nested(limits::depth_max)));
  EXPECT_FALSE(compile_gbnf(nested(60'000)));
}

}  // namespace
}  // namespace herd::grammar
