#include "engine/answer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"

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

}  // namespace
}  // namespace herd::engine
