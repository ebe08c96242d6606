#include "grammar/constraint.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/rng.h"
#include "grammar/gbnf.h"
#include "grammar/grammar_for_test.h"
#include "grammar/json_schema.h"
#include "grammar/limits.h"
#include "grammar/regex.h"

namespace herd::grammar {
namespace {

using testing::matches;
using testing::take;

const std::vector<std::string>& words() {
  static const std::vector<std::string> words = testing::small_vocabulary();
  return words;
}

std::int32_t end_token() { return static_cast<std::int32_t>(words().size()) - 1; }

// All tests share one tree of words.
TokenGrammarPtr over_words(CompiledPtr compiled) {
  static const auto trie = std::make_shared<const TokenTrie>(words());
  return std::make_shared<const TokenGrammar>(std::move(compiled), trie);
}

CompiledPtr schema(std::string_view text, JsonStyle style = {}) {
  return take(compile_json_schema(*parse_json(text), {.style = style}));
}

// Grammars of every kind; the JSON ones come first.
std::vector<CompiledPtr> many_grammars() {
  return {
      take(compile_json_object()),
      schema(R"({"type":"object","properties":{"name":{"type":"string","maxLength":12},
        "value":{"type":"array","items":{"type":"number","minimum":-1,"maximum":12.5}}},
        "required":["name"],"additionalProperties":{"enum":["ab","abc",12,null,true]}})"),
      schema(R"({"$defs":{"t":{"type":"array","items":{"$ref":"#/$defs/t"},"maxItems":3}},
        "$ref":"#/$defs/t"})"),
      schema(R"({"anyOf":[{"type":"string","pattern":"^(ab|abc)*x?$","maxLength":9},
        {"type":"integer","multipleOf":7},{"type":"string","format":"date-time"}]})"),
      take(compile_regex("(?:the | a|[\\u00e0-\\u20ac])*yes")),
      take(compile_gbnf(
          "root ::= a | b \"y\"\na ::= \"a\" a \"b\" | \"ab\"\nb ::= \"a\" b | \"a\" | "
          "\"ab\" b")),
  };
}

// The definition: a token is allowed when the matcher reads its bytes.
TEST(Constraint, MasksExactlyTheTokensThatTheMatcherReads) {
  std::size_t steps = 0;
  for (const auto& compiled : many_grammars()) {
    const auto grammar = over_words(compiled);
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      Constraint constraint(grammar, {end_token()});
      Matcher matcher(compiled);
      for (std::uint64_t step = 0; step < 60 && !constraint.is_done(); ++step, ++steps) {
        const auto mask = constraint.mask();
        std::vector<std::int32_t> allowed;
        for (std::int32_t token = 0; token < end_token(); ++token) {
          Matcher copy = matcher;
          const bool reads = copy.accept(words()[static_cast<std::size_t>(token)]);
          ASSERT_EQ(allows(mask, token), reads)
              << "after " << step << " tokens: " << words()[static_cast<std::size_t>(token)];
          if (reads) allowed.push_back(token);
        }
        ASSERT_EQ(allows(mask, end_token()), matcher.can_end());
        if (allowed.empty()) break;
        const auto pick =
            static_cast<std::size_t>(uniform(seed, step) * static_cast<double>(allowed.size()));
        ASSERT_TRUE(constraint.accept(allowed[pick]));
        ASSERT_TRUE(matcher.accept(words()[static_cast<std::size_t>(allowed[pick])]));
      }
    }
  }
  EXPECT_GT(steps, 500u);
}

// Random tokens among those allowed, for a while; then the shortest way out, byte by byte. No walk may get stuck.
std::string random_text(const TokenGrammarPtr& grammar, std::uint64_t seed, std::size_t tokens) {
  Constraint constraint(grammar, {end_token()});
  std::string text;
  for (std::uint64_t step = 0; step < 20'000; ++step) {
    const auto mask = constraint.mask();
    std::vector<std::int32_t> allowed;
    for (std::int32_t token = 0; token <= end_token(); ++token)
      if (allows(mask, token)) allowed.push_back(token);
    HERD_CHECK(!allowed.empty(), "stuck after {}", text);
    std::int32_t next = allowed[static_cast<std::size_t>(uniform(seed, step) *
                                                         static_cast<double>(allowed.size()))];
    if (step >= tokens) {
      if (allows(mask, end_token())) next = end_token();
      for (const char c : {']', '}', '"'})
        if (next != end_token() && allows(mask, c)) next = c;
    }
    HERD_CHECK(constraint.accept(next), "token {} was in the mask", next);
    if (next == end_token()) return text;
    text += words()[static_cast<std::size_t>(next)];
  }
  HERD_CHECK(false, "no end: {}", text.substr(0, 200));
  return text;
}

TEST(Constraint, EndsEveryRandomWalkInATextOfTheGrammar) {
  std::size_t number = 0;
  for (const auto& compiled : many_grammars()) {
    const auto grammar = over_words(compiled);
    const bool is_json = number++ < 4;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const std::string text = random_text(grammar, seed, 80);
      EXPECT_TRUE(matches(compiled, text)) << text;
      if (is_json) {
        boost::system::error_code error;
        json::parse(text, error);
        EXPECT_FALSE(error) << text << ": " << error.message();
      }
    }
  }
}

TEST(Constraint, AllowsTheEndWhereTheTextMayEndAndNothingAfterIt) {
  Constraint constraint(over_words(take(compile_regex("ab(ab)?"))), {end_token()});
  EXPECT_FALSE(constraint.accept(end_token()));
  EXPECT_TRUE(constraint.accept('a'));
  EXPECT_FALSE(allows(constraint.mask(), end_token()));
  EXPECT_TRUE(constraint.accept('b'));
  EXPECT_TRUE(constraint.can_end());
  EXPECT_FALSE(constraint.is_done());
  EXPECT_TRUE(constraint.accept(end_token()));
  EXPECT_TRUE(constraint.is_done());
  EXPECT_FALSE(constraint.accept('a'));
  for (const std::uint64_t word : constraint.mask()) EXPECT_EQ(word, 0u);
  EXPECT_FALSE(constraint.accept(-1));
  EXPECT_FALSE(constraint.accept(end_token() + 1));
}

TEST(Constraint, GoesBackByTokens) {
  const auto grammar = over_words(take(compile_json_object()));
  Constraint constraint(grammar, {end_token()});
  for (const char c : std::string("{\"a\":[")) ASSERT_TRUE(constraint.accept(c));
  const TokenMask before(constraint.mask().begin(), constraint.mask().end());
  for (const char c : std::string("1]}")) ASSERT_TRUE(constraint.accept(c));
  ASSERT_TRUE(constraint.accept(end_token()));
  constraint.rollback(4);
  EXPECT_EQ(before, TokenMask(constraint.mask().begin(), constraint.mask().end()));
  EXPECT_FALSE(constraint.is_done());
  constraint.rollback(6);
  EXPECT_TRUE(allows(constraint.mask(), '{'));
  EXPECT_FALSE(allows(constraint.mask(), '['));
}

// As far as guesses go, however long the answer is by then; what lies further back is forgotten.
TEST(Constraint, GoesBackFromTheEndOfALongAnswer) {
  const auto grammar = over_words(take(compile_json_object()));
  Constraint constraint(grammar, {end_token()});
  for (const char c : std::string("{\"a\":\"")) ASSERT_TRUE(constraint.accept(c));
  for (std::size_t i = 0; i < 2 * Constraint::history_max; ++i) ASSERT_TRUE(constraint.accept('x'));
  for (const char c : std::string("\"}")) ASSERT_TRUE(constraint.accept(c));
  constraint.rollback(Constraint::history_max);
  EXPECT_TRUE(allows(constraint.mask(), '"'));
  EXPECT_FALSE(allows(constraint.mask(), end_token()));
  for (const char c : std::string("\"}")) ASSERT_TRUE(constraint.accept(c));
  EXPECT_TRUE(constraint.can_end());
  EXPECT_DEATH(constraint.rollback(Constraint::history_max + 1), "are remembered");
}

TEST(Constraint, KnowsWhatEveryAnswerGoesOnWith) {
  const auto compiled = schema(R"({"type":"object","properties":{"name":{"type":"boolean"}},
    "required":["name"],"additionalProperties":false})",
                               {.space_max = 0});
  Constraint constraint(over_words(compiled), {end_token()});
  EXPECT_EQ(constraint.forced().text, "{\"name\":");
  EXPECT_FALSE(constraint.forced().to_end);
  for (const char c : constraint.forced().text) ASSERT_TRUE(constraint.accept(c));
  EXPECT_EQ(constraint.forced().text, "");
  ASSERT_TRUE(constraint.accept('t'));
  EXPECT_EQ(constraint.forced().text, "rue}");
  EXPECT_TRUE(constraint.forced().to_end);
  for (const char c : std::string("rue}")) ASSERT_TRUE(constraint.accept(c));
  EXPECT_TRUE(constraint.is_done());
}

// Readings become more with every byte until there are more than are followed. What the mask allows is then taken, or
// refused and nothing has changed.
TEST(Constraint, TakesOrRefusesWhatItAllowsAtTheEdgesOfItsLimits) {
  std::string many = "root ::= r0", deep = "root ::= c0\n";
  for (int i = 1; i < 5; ++i) many += fmt::format(" | r{}", i);
  for (int i = 0; i < 5; ++i) many += fmt::format("\nr{} ::= \"a\" root \"{}.\" | \"b\"", i, i);
  constexpr int calls = 400;
  for (int i = 0; i < calls; ++i) deep += fmt::format("c{} ::= c{} \"x\"\n", i, i + 1);
  deep += fmt::format("c{} ::= \"a\" root \"y\" | \"b\"\n", calls);
  for (const std::string& text : {many, deep}) {
    SCOPED_TRACE(text.substr(0, 20));
    Constraint constraint(over_words(take(compile_gbnf(text))), {end_token()});
    std::size_t taken = 0;
    while (allows(constraint.mask(), 'a') && constraint.accept('a')) ASSERT_LT(++taken, 1'000u);
    EXPECT_GE(taken, 1u);
    EXPECT_FALSE(constraint.accept('a'));
    EXPECT_TRUE(allows(constraint.mask(), 'b'));
    EXPECT_TRUE(constraint.accept('b'));
    EXPECT_TRUE(constraint.accept(text == many ? '0' : 'x'));
  }
}

// Readings side by side: each reads on for ever, and which it is shows at the end alone.
std::string side_by_side(std::string_view before, int count) {
  std::string text = fmt::format("root ::= {}(r0", before);
  for (int i = 1; i < count; ++i) text += fmt::format(" | r{}", i);
  text += ")\n";
  for (int i = 0; i < count; ++i) text += fmt::format("r{} ::= [a-zA-Z ]+ \"{}.\"\n", i, i);
  return text;
}

TEST(Constraint, RefusesWhatHasTooManyWaysOrTakesTooLongToBegin) {
  std::vector<std::string> vocabulary = words();
  for (char a = 'a'; a <= 'z'; ++a)
    for (char b = 'a'; b <= 'z'; ++b)
      for (char c = 'a'; c <= 'z'; ++c) vocabulary.push_back({a, b, c});
  const auto trie = std::make_shared<const TokenTrie>(vocabulary);  // shared by the grammars
  const auto over = [&](const std::string& text) {
    return std::make_shared<const TokenGrammar>(take(compile_gbnf(text)), trie);
  };
  EXPECT_TRUE(TokenGrammar::check_first_mask(over(side_by_side("", 10))));
  for (const int count : {100, 600}) {  // many steps; more readings than are followed
    const auto refused = TokenGrammar::check_first_mask(over(side_by_side("", count)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::schema_too_complex);
    // Later it is the end of the answer. Readings are counted one byte ahead.
    const auto later = over(side_by_side("\"x\"", count));
    EXPECT_EQ(TokenGrammar::check_first_mask(later).has_value(), count == 100);
    if (count != 100) continue;
    Constraint constraint(later, {end_token()});
    EXPECT_TRUE(allows(constraint.mask(), 'x'));
    EXPECT_FALSE(constraint.is_too_complex());
    ASSERT_TRUE(constraint.accept('x'));
    for (const std::uint64_t word : constraint.mask()) ASSERT_EQ(word, 0u);
    EXPECT_TRUE(constraint.is_too_complex());
    EXPECT_LT(constraint.steps(), limits::mask_steps_max * 2);
    constraint.rollback(1);
    EXPECT_TRUE(allows(constraint.mask(), 'x'));
    EXPECT_FALSE(constraint.is_too_complex());
  }
}

TEST(Constraint, CountsTheStepsOfAMaskTheSameWhoeverAskedBefore) {
  const auto grammar = over_words(take(compile_gbnf(side_by_side("", 40))));
  Constraint first(grammar, {end_token()});
  std::vector<std::uint64_t> steps;
  for (const char c : std::string("ab c")) {
    (void)first.mask();
    steps.push_back(first.steps());
    ASSERT_TRUE(first.accept(c));
  }
  EXPECT_GT(steps.front(), 40 * 52u);
  Constraint second(grammar, {end_token()});
  for (std::size_t i = 0; i < steps.size(); ++i) {
    (void)second.mask();
    EXPECT_EQ(second.steps(), steps[i]) << i;
    ASSERT_TRUE(second.accept("ab c"[i]));
  }
}

TEST(HeadSet, KeepsHeadsOnceInTheOrderTheyCame) {
  Heads heads, expected;
  HeadSet set(heads);
  for (std::uint32_t round = 0; round < 2; ++round)
    for (std::uint32_t i = 0; i < 3000; ++i) {
      const Head head{i % 50, i / 50 << 20};
      set.add(head);
      if (round == 0) expected.push_back(head);
    }
  EXPECT_EQ(heads, expected);
}

TEST(Constraint, CopiesGoTheirOwnWays) {
  Constraint one(over_words(take(compile_regex("a(b|c)"))), {end_token()});
  ASSERT_TRUE(one.accept('a'));
  Constraint other = one;
  ASSERT_TRUE(one.accept('b'));
  ASSERT_TRUE(other.accept('c'));
  EXPECT_TRUE(one.is_done());
  EXPECT_TRUE(other.is_done());
}

TEST(TokenTrie, HoldsEveryTokenOnceAndDoublesInAChain) {
  const TokenTrie trie(words());
  std::vector<int> seen(words().size(), 0);
  for (const TokenTrie::Tree* tree : {&trie.short_tokens(), &trie.long_tokens()})
    for (const TokenTrie::Node& node : *tree)
      for (std::int32_t token = node.token; token >= 0; token = trie.next_same(token))
        ++seen[static_cast<std::size_t>(token)];
  for (std::size_t token = 0; token < words().size(); ++token)
    EXPECT_EQ(seen[token], words()[token].empty() ? 0 : 1) << token;
}

}  // namespace
}  // namespace herd::grammar
