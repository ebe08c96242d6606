#include "engine/answer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "engine/grammars.h"

namespace herd::engine {
namespace {

const text::Tokenizer& tokenizer() {
  static const text::Tokenizer one =
      text::Tokenizer::from_directory(fs::path(HERD_ROOT) / "models/cria").value();
  return one;
}

// Logits that leave no doubt.
std::vector<float> sure_of(std::int32_t token) {
  std::vector<float> logits(300, 0.0f);
  logits[static_cast<std::size_t>(token)] = 20.0f;
  return logits;
}

GenerateOptions greedy() {
  GenerateOptions options;
  options.sampling.temperature = 0;
  return options;
}

std::int32_t byte(char c) {
  return tokenizer().encode(std::string(1, c), text::SpecialTokens::as_text).front();
}

// Writes what the logits want; the token that was drawn.
std::int32_t next(Writer& writer, std::vector<float> logits) {
  Drawn drawn = writer.draw(logits).value();
  const std::int32_t token = drawn.token;
  writer.write(std::move(drawn));
  return token;
}

TEST(Writer, EndsAtAStopTokenWhichDoesNotBelongToTheAnswer) {
  GenerateOptions options = greedy();
  options.stop_tokens = {byte('b')};
  options.top_logprobs = 1;
  Writer writer(options, tokenizer(), {});
  next(writer, sure_of(byte('a')));
  EXPECT_FALSE(writer.finished());
  next(writer, sure_of(byte('b')));
  ASSERT_TRUE(writer.finished());
  const Answer answer = writer.take();
  EXPECT_EQ(answer.text, "a");
  EXPECT_EQ(answer.stop_token, byte('b'));
  EXPECT_EQ(answer.stop_event.token, byte('b'));
  EXPECT_EQ(answer.stop_event.top.size(), 1u);
  EXPECT_EQ(answer.finish_reason, FinishReason::stop);
}

TEST(Writer, NamesTheStopStringAndHoldsItBack) {
  GenerateOptions options = greedy();
  options.stop = {"xyz", "bc"};
  Writer writer(options, tokenizer(), {});
  for (const char c : {'a', 'b', 'c'}) next(writer, sure_of(byte(c)));
  ASSERT_TRUE(writer.finished());
  const Answer answer = writer.take();
  EXPECT_EQ(answer.text, "a");
  EXPECT_EQ(answer.tail, "");
  EXPECT_EQ(answer.stop_string, "bc");
}

TEST(Writer, GivesWhatItHeldBackAtTheEnd) {
  GenerateOptions options = greedy();
  options.stop = {"abc"};
  options.max_tokens = 2;
  Writer writer(options, tokenizer(), {});
  for (const char c : {'a', 'b'}) next(writer, sure_of(byte(c)));
  ASSERT_TRUE(writer.finished());
  const Answer answer = writer.take();
  EXPECT_EQ(answer.tail, "ab");
  EXPECT_EQ(answer.text, "ab");
  EXPECT_EQ(answer.finish_reason, FinishReason::length);
}

TEST(Writer, NoStopBeforeMinTokensAndNoneAtAllWhenIgnored) {
  GenerateOptions options = greedy();
  options.stop_tokens = {byte('b')};
  options.stop = {"a"};
  options.min_tokens = 3;
  Writer writer(options, tokenizer(), {});
  EXPECT_NE(next(writer, sure_of(byte('b'))), byte('b'));
  next(writer, sure_of(byte('a')));
  EXPECT_FALSE(writer.finished());
  next(writer, sure_of(byte('a')));
  EXPECT_TRUE(writer.finished());

  options = greedy();
  options.stop_tokens = {byte('b')};
  options.ignore_eos = true;
  Writer deaf(options, tokenizer(), {});
  EXPECT_EQ(next(deaf, sure_of(byte('b'))), byte('b'));
  EXPECT_FALSE(deaf.finished());
}

TEST(Writer, BiasForbidsForcesAndShifts) {
  GenerateOptions options = greedy();
  options.logit_bias = {{byte('a'), -100.0f}};
  EXPECT_NE(next(*std::make_unique<Writer>(options, tokenizer(), std::span<const std::int32_t>{}),
                 sure_of(byte('a'))),
            byte('a'));
  options.logit_bias = {{byte('c'), 100.0f}};
  Writer forced(options, tokenizer(), {});
  EXPECT_EQ(next(forced, sure_of(byte('a'))), byte('c'));
  options.logit_bias = {{byte('c'), 21.0f}};
  Writer shifted(options, tokenizer(), {});
  EXPECT_EQ(next(shifted, sure_of(byte('a'))), byte('c'));
}

TEST(Writer, LogprobsAreTheModelsOwnWhateverTheBias) {
  GenerateOptions options = greedy();
  options.top_logprobs = 2;
  options.logit_bias = {{1, 100.0f}};
  Writer writer(options, tokenizer(), {});
  std::vector<float> logits{std::log(0.5f), std::log(0.2f), std::log(0.3f)};
  const Drawn drawn = writer.draw(logits).value();
  EXPECT_EQ(drawn.token, 1);
  EXPECT_NEAR(drawn.logprob, std::log(0.2), 1e-6);
  ASSERT_EQ(drawn.top.size(), 2u);
  EXPECT_EQ(drawn.top[0].token, 0);
  EXPECT_NEAR(drawn.top[0].logprob, std::log(0.5), 1e-6);
  EXPECT_EQ(drawn.top[1].token, 2);
}

TEST(Writer, WantsNothingWhenNoTokensAreWanted) {
  GenerateOptions options = greedy();
  options.max_tokens = 0;
  EXPECT_TRUE(Writer(options, tokenizer(), {}).finished());
}

AnswerGrammarPtr gbnf(const std::string& text) {
  static Grammars grammars(tokenizer(), tokenizer().size());
  return grammars.gbnf(text).value();
}

// A bias may ask for what the grammar's limits refuse: each "a" makes five of every reading.
TEST(Writer, DrawsAgainWhatTheGrammarCannotFollow) {
  std::string text = "root ::= r0";
  for (int i = 1; i < 5; ++i) text += fmt::format(" | r{}", i);
  for (int i = 0; i < 5; ++i) text += fmt::format("\nr{} ::= \"a\" root \"{}.\" | \"b\"", i, i);
  GenerateOptions options = greedy();
  options.max_tokens = 12;
  options.grammar = gbnf(text);
  options.logit_bias[byte('a')] = 100;
  Writer writer(options, tokenizer(), {});
  std::string drawn;
  while (!writer.finished())
    drawn += tokenizer().bytes_of(
        next(writer, std::vector<float>(static_cast<std::size_t>(tokenizer().size()), 0.0f)));
  EXPECT_TRUE(drawn.starts_with("aa")) << drawn;
  EXPECT_TRUE(drawn.contains("b")) << drawn;
  // With the way out banned too the answer is at its end.
  options.logit_bias[byte('b')] = -100;
  Writer stuck(options, tokenizer(), {});
  Result<Drawn> token = fail(Code::numeric_error, "none");
  do {
    std::vector<float> logits(static_cast<std::size_t>(tokenizer().size()), 0.0f);
    token = stuck.draw(logits);
    if (token) stuck.write(*token);
  } while (token && !stuck.finished());
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, Code::grammar_dead_end);
  EXPECT_TRUE(token.error().message.contains("more ways")) << token.error().message;
}

TEST(Writer, SpellsAForcedTextWithoutABannedTokenOrSaysThatItCannot) {
  const auto flat = [] {
    return std::vector<float>(static_cast<std::size_t>(tokenizer().size()), 0.0f);
  };
  GenerateOptions options = greedy();
  options.grammar = gbnf("root ::= \"the answer is\"");
  Writer unbanned(options, tokenizer(), {});
  const auto tokens = unbanned.forced();
  const std::vector<std::int32_t> plain(tokens.begin(), tokens.end());
  ASSERT_GT(plain.size(), 1u);
  const auto longest = *std::ranges::max_element(
      plain, {}, [](std::int32_t token) { return tokenizer().bytes_of(token).size(); });
  ASSERT_GT(tokenizer().bytes_of(longest).size(), 1u);
  options.logit_bias[longest] = -100;
  Writer writer(options, tokenizer(), {});
  while (!writer.finished()) EXPECT_NE(next(writer, flat()), longest);
  EXPECT_EQ(writer.take().text, "the answer is");
  // Nothing but this byte spells it.
  options.grammar = gbnf("root ::= \"ab\\x01\"");
  options.logit_bias[byte('\x01')] = -100;
  Writer stuck(options, tokenizer(), {});
  Result<Drawn> token = fail(Code::numeric_error, "none");
  do {
    std::vector<float> logits = flat();
    token = stuck.draw(logits);
    if (token) stuck.write(*token);
  } while (token && !stuck.finished());
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, Code::grammar_dead_end);
  EXPECT_TRUE(token.error().message.contains("the request bans every token"))
      << token.error().message;
  EXPECT_EQ(stuck.answer().text + "", "ab");
}

}  // namespace
}  // namespace herd::engine
