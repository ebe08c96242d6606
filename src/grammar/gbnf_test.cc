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

TEST(Gbnf, RepeatsOnePartAsOftenAsTheLimitAndNoOftener) {
  const auto stacked = [](std::size_t times) {
    return compile_gbnf("root ::= \"a\"" + std::string(times, '?'));
  };
  EXPECT_TRUE(matches(take(stacked(limits::depth_max)), "a"));
  for (const std::size_t times : {std::size_t{limits::depth_max} + 1, std::size_t{400'000}}) {
    const auto refused = stacked(times);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::schema_too_complex);
  }
  // Each part has its own.
  std::string many = "root ::=";
  for (int i = 0; i < 1000; ++i) many += " \"a\"?";
  EXPECT_TRUE(compile_gbnf(many));
}

// Rounds over all rules until nothing changes would take as many as there are rules.
TEST(Gbnf, TakesLongChainsOfRulesWithinTheStepsOfACompilation) {
  constexpr std::size_t count = 16'000;
  static_assert(count * count > limits::compile_steps_max && count < limits::rules_max);
  std::string choice = "root ::= r1", chain = "r1 ::= \"a\"\n", empty = "r1 ::= \"\"\n";
  for (std::size_t i = 2; i <= count; ++i) {
    choice += fmt::format("|r{}", i);
    chain += fmt::format("r{} ::= \"b\" r{}\n", i, i - 1);
    empty += fmt::format("r{} ::= r{} r{}\n", i, i - 1, i - 1);
  }
  const auto read = take(compile_gbnf(choice + "\n" + chain));
  EXPECT_EQ(read->size(), 3 * count + 1);  // as written: none lost, none made twice
  const auto nothing = compile_gbnf(fmt::format("root ::= r{} \"x\"\n", count) + empty);
  EXPECT_TRUE(nothing) << to_string(nothing.error());
  const auto left =
      compile_gbnf(fmt::format("root ::= r{}\nr1 ::= \"\" | r{} \"a\"\n", count, count) +
                   empty.substr(empty.find('\n') + 1));
  ASSERT_FALSE(left);
  EXPECT_TRUE(left.error().message.contains("left recursion")) << left.error().message;
}

}  // namespace
}  // namespace herd::grammar
