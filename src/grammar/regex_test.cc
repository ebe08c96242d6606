#include "grammar/regex.h"

#include <gtest/gtest.h>

#include "grammar/grammar_for_test.h"
#include "grammar/limits.h"

namespace herd::grammar {
namespace {

using testing::matches;
using testing::take;

void expect_matches(std::string_view pattern, std::initializer_list<std::string_view> yes,
                    std::initializer_list<std::string_view> no) {
  const auto compiled = take(compile_regex(pattern));
  for (const auto text : yes) EXPECT_TRUE(matches(compiled, text)) << pattern << " : " << text;
  for (const auto text : no) EXPECT_FALSE(matches(compiled, text)) << pattern << " : " << text;
}

TEST(Regex, FollowsEveryConstructThatItNames) {
  expect_matches("abc", {"abc"}, {"ab", "abcd", ""});
  expect_matches("a|bc|", {"a", "bc", ""}, {"b", "abc"});
  expect_matches("a*b+c?", {"b", "aab", "bbc"}, {"a", "ac", "bcc"});
  expect_matches("(ab){2,3}", {"abab", "ababab"}, {"ab", "abababab"});
  expect_matches("a{2}b{1,}", {"aab", "aabbb"}, {"ab", "aa"});
  expect_matches("a+?b??", {"a", "aab"}, {"b"});
  expect_matches("[a-c^]-[^a-c]", {"a-d", "^-x", "b-\xC3\xA9"}, {"d-d", "a-a"});
  expect_matches("\\d\\D\\w\\W\\s\\S", {"1x_- x"}, {"1x_-xx", "xx_- x"});
  expect_matches("\\x41\\u0042\\u{43}\\cJ\\.", {"ABC\n."}, {"ABC\nx"});
  expect_matches("(?:a(?<n>b)c)", {"abc"}, {"ac"});
  expect_matches("^a$|^b$", {"a", "b"}, {"ab"});
  expect_matches("x{", {}, {"x"});
}

TEST(Regex, CountsCharactersAndNotBytes) {
  expect_matches(".", {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"},
                 {"\n", "\xC3", "\xE2\x80\xA8", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xC0\x80"});
  expect_matches("[\xC3\xA0-\xE2\x82\xAC]", {"\xC3\xA9", "\xE2\x82\xAC", "\xE0\xA0\x80"},
                 {"a", "\xE2\x82\xAD", "\xC3\x9F"});
  expect_matches("\\ud83d\\ude00", {"\xF0\x9F\x98\x80"}, {"\xF0\x9F\x98\x81"});
}

TEST(Regex, RefusesWhatItCannotFollowByName) {
  const std::vector<std::pair<const char*, const char*>> cases{{"(?=a)", "look-around"},
                                                               {"(?<!a)b", "look-around"},
                                                               {"\\bword", "word boundary"},
                                                               {"(a)\\1", "back-reference"},
                                                               {"\\p{L}", "Unicode property"},
                                                               {"a^b", "anchor"},
                                                               {"(a", "( without"},
                                                               {"a)", ") without"},
                                                               {"[a", "[ without"},
                                                               {"*a", "repetition of nothing"},
                                                               {"a{2,1}", "wrong order"},
                                                               {"a{1001}", "1001 times"},
                                                               {"\\q", "unknown escape"},
                                                               {"[z-a]", "wrong range"},
                                                               {"a\\", "backslash at the end"}};
  for (const auto& [pattern, reason] : cases) {
    const auto compiled = compile_regex(pattern);
    ASSERT_FALSE(compiled) << pattern;
    EXPECT_NE(compiled.error().message.find(reason), std::string::npos)
        << pattern << ": " << compiled.error().message;
  }
}

TEST(Regex, NestsAsDeepAsTheLimitAndNoDeeper) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '(') + "a" + std::string(depth, ')');
  };
  EXPECT_TRUE(compile_regex(nested(limits::depth_max - 1)));
  EXPECT_FALSE(compile_regex(nested(limits::depth_max)));
  EXPECT_FALSE(compile_regex(nested(100'000)));
}

TEST(Regex, EndsItsWorkAtALimitWhateverIsRepeated) {
  for (const char* bomb : {"((a{1000}){1000}){1000}", "(a|aa|aaa){1000}.*(x{900}){900}",
                           "(.*a.{12}){3}.*a.{400}", "((a*)*)*b"}) {
    const auto compiled = compile_regex(bomb);  // either; what counts is that it comes back
    EXPECT_TRUE(compiled || compiled.error().code == Code::schema_too_complex ||
                compiled.error().code == Code::invalid_grammar)
        << bomb;
  }
  EXPECT_FALSE(compile_regex("((a{1000}){1000}){1000}"));
}

// What adds no state is not counted by states: 10^12 rounds of nothing are still nothing.
TEST(Regex, ReadsNothingHoweverOftenItIsRepeated) {
  for (const char* pattern : {"(){1000}{1000}{1000}{1000}", "a{0}{1000}{1000}{1000}{1000}",
                              "(()()){1000}{0,1000}{1000}{1000,}{1000}"}) {
    const auto compiled = take(compile_regex(pattern));
    EXPECT_TRUE(matches(compiled, "")) << pattern;
    EXPECT_FALSE(matches(compiled, "a")) << pattern;
  }
  // Many empty parts beside one that is not: rounds add few states and cost much.
  std::string parts = "(";
  for (int i = 0; i < 200'000; ++i) parts += "()";
  const auto refused = compile_regex(parts + "a){1000}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::schema_too_complex);
}

}  // namespace
}  // namespace herd::grammar
