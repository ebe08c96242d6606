#include "engine/grammars.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/rng.h"
#include "engine/answer.h"
#include "grammar/limits.h"
#include "text/tool_call_stream.h"

namespace herd::engine {
namespace {

const text::Tokenizer& tokenizer() {
  static const text::Tokenizer one =
      text::Tokenizer::from_directory(fs::path(HERD_ROOT) / "models/cria").value();
  return one;
}

Grammars& grammars() {
  static Grammars one(tokenizer(), tokenizer().size());
  return one;
}

json::value parsed(std::string_view text) { return parse_json(text).value(); }

std::vector<float> flat() {
  return std::vector<float>(static_cast<std::size_t>(tokenizer().size()), 0.0f);
}

// An answer under logits that are noise, so that whatever may come comes.
Answer noise(const AnswerGrammarPtr& grammar, std::uint64_t seed, std::int64_t tokens = 400) {
  GenerateOptions options;
  options.max_tokens = tokens;
  options.sampling = {.temperature = 1, .top_p = 1, .seed = static_cast<std::int64_t>(seed)};
  options.stop_tokens = tokenizer().stop_ids();
  options.grammar = grammar;
  Writer writer(options, tokenizer(), {});
  for (std::uint64_t step = 0; !writer.finished(); ++step) {
    std::vector<float> logits = flat();
    for (std::size_t token = 0; token < logits.size(); ++token)
      logits[token] = 4 * static_cast<float>(uniform(seed, token, step)) +
                      (tokenizer().bytes_of(static_cast<std::int32_t>(token)).size() == 1 &&
                               std::string_view("\"}]),").contains(
                                   tokenizer().bytes_of(static_cast<std::int32_t>(token)))
                           ? 5.0f
                           : 0.0f);
    auto drawn = writer.draw(logits);
    if (!drawn) {
      ADD_FAILURE() << to_string(drawn.error());
      writer.end(FinishReason::cancelled);
      break;
    }
    writer.write(std::move(*drawn));
  }
  return writer.take();
}

TEST(Grammars, NoiseBecomesAnswersOfTheForm) {
  const auto record = grammars().json_schema(parsed(R"({"type":"object","properties":{
      "name":{"type":"string","maxLength":5},"ages":{"type":"array","items":{"type":"integer",
      "minimum":0,"maximum":99},"maxItems":2}},"required":["name","ages"],
      "additionalProperties":false})"),
                                             true);
  const std::vector<std::string> words{"left", "right"};
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Answer answer = noise(*record, seed);
    ASSERT_EQ(answer.finish_reason, FinishReason::stop) << answer.text;
    const auto document = parse_json(answer.text);
    ASSERT_TRUE(document) << answer.text;
    EXPECT_TRUE(document->get_object().at("name").is_string());
    EXPECT_LE(document->get_object().at("ages").get_array().size(), 2u);
    EXPECT_GT(answer.forced_tokens, 0);
    const std::string said = noise(*grammars().choice(words), seed).text;
    EXPECT_TRUE(said == "left" || said == "right") << said;
    EXPECT_EQ(noise(*grammars().regex("(ab){3}"), seed).text, "ababab");
    EXPECT_EQ(noise(*grammars().gbnf("root ::= \"x\" root2\nroot2 ::= \"y\"{2}"), seed).text,
              "xyy");
  }
}

// What the grammar holds to a schema is what the reader of calls finds.
TEST(Grammars, CallsThatAreForcedAreCallsThatAreRead) {
  const json::value schema = parsed(R"({"type":"object","properties":{"to":{"enum":["a","b"]},
      "text":{"type":"string","maxLength":6},"cc":{"type":"array","items":{"type":"boolean"},
      "maxItems":2}},"required":["to","text","cc"],"additionalProperties":false})");
  const std::vector<grammar::Tool> tools{
      {.name = "send", .schema = schema, .strict = true},
      {.name = "stop", .schema = parsed(R"({"type":"object","additionalProperties":false})")}};
  for (const bool several : {false, true})
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      const Answer answer = noise(
          *grammars().tool_calls({.tools = tools, .must = true, .several = several}), seed, 120);
      text::ToolCallStream reader({"send", "stop"});
      std::size_t calls = 0;
      std::string text;
      auto events = reader.push(answer.text);
      std::ranges::move(reader.finish(), std::back_inserter(events));
      for (const auto& event : events) {
        text += event.text;
        if (!event.is_call()) continue;
        ++calls;
        if (event.name == "stop") {
          EXPECT_TRUE(event.arguments.empty());
        } else {
          EXPECT_EQ(event.arguments.size(), 3u);
          EXPECT_TRUE(event.arguments.at("to") == "a" || event.arguments.at("to") == "b");
        }
      }
      if (answer.finish_reason == FinishReason::length) continue;
      EXPECT_EQ(text, "") << answer.text;
      EXPECT_GE(calls, 1u);
      if (!several) {
        EXPECT_EQ(calls, 1u);
      }
    }
}

// Free text under noise, pushed towards the openings of calls: no call of `send` is read that its schema forbids.
TEST(Grammars, NoCallSlipsPastTheGrammarInFreeText) {
  const json::value schema = parsed(R"({"type":"object","properties":{"n":{"enum":[1,2]}},
      "required":["n"],"additionalProperties":false})");
  const auto grammar =
      *grammars().tool_calls({.tools = {{.name = "send", .schema = schema, .strict = true}}});
  const std::vector<std::string> baits{R"({"name": "send", "parameters": {"n": 3}})",
                                       R"({"name":"send","arguments":{"n":2, "m":1}})",
                                       R"([send(n=1), send(n=7)])",
                                       R"([{"name": "send", "parameters": {}}])",
                                       R"(<function=send>{"n": "x"}</function>)",
                                       R"(send.call(n=5))",
                                       R"({"type":"function","function":{"name":"send"}})",
                                       "; {\"name\": \"send\", \"parameters\": {\"n\": 9}}"};
  std::size_t calls = 0;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    GenerateOptions options;
    options.max_tokens = 80;
    options.sampling = {.temperature = 1, .top_p = 1, .seed = static_cast<std::int64_t>(seed)};
    options.stop_tokens = tokenizer().stop_ids();
    options.grammar = grammar;
    Writer writer(options, tokenizer(), {});
    // The bait, character by character where the grammar lets it, and noise where it does not.
    const std::string bait = (seed % 3 == 0   ? ""
                              : seed % 3 == 1 ? "Well:\n  "
                                              : baits[seed % 5] + "\n") +
                             baits[seed % baits.size()];
    std::size_t at = 0;
    while (!writer.finished()) {
      std::vector<float> logits = flat();
      for (std::size_t token = 0; token < logits.size(); ++token)
        logits[token] = static_cast<float>(uniform(seed, token, at));
      if (at < bait.size())
        logits[static_cast<std::size_t>(
            tokenizer().encode(bait.substr(at, 1), text::SpecialTokens::as_text).front())] = 30;
      auto drawn = writer.draw(logits);
      ASSERT_TRUE(drawn) << to_string(drawn.error());
      writer.write(std::move(*drawn));
      ++at;
    }
    const Answer answer = writer.take();
    text::ToolCallStream reader({"send"});
    auto events = reader.push(answer.text);
    std::ranges::move(reader.finish(), std::back_inserter(events));
    for (const auto& event : events) {
      if (!event.is_call()) continue;
      ++calls;
      ASSERT_EQ(event.arguments.size(), 1u) << answer.text;
      EXPECT_TRUE(event.arguments.at("n") == 1 || event.arguments.at("n") == 2) << answer.text;
    }
  }
  EXPECT_GT(calls, 10u);
}

// The tokens around Python's calls are no text of the grammar: they pass where text is free, and nowhere else.
TEST(Grammars, TheTokensAroundCallsPassInFreeTextAlone) {
  const std::vector<grammar::Tool> tools{
      {.name = "send", .schema = parsed(R"({"type":"object"})"), .strict = true}};
  for (const char* name : {"<|python_start|>", "<|python_end|>"}) {
    const std::int32_t token = tokenizer().special(name).value();
    for (const bool must : {false, true}) {
      GenerateOptions options;
      options.sampling.temperature = 0;
      options.grammar = *grammars().tool_calls({.tools = tools, .must = must});
      Writer writer(options, tokenizer(), {});
      std::vector<float> logits = flat();
      logits[static_cast<std::size_t>(token)] = 30;
      EXPECT_EQ(writer.draw(logits).value().token == token, !must) << name;
    }
  }
}

TEST(Grammars, TheMaskComesBeforeEverythingElse) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.grammar = *grammars().regex("[ab]c");
  options.top_logprobs = 1;
  Writer writer(options, tokenizer(), {});
  std::vector<float> logits = flat();
  logits['x'] = 50;
  const auto a =
      static_cast<std::size_t>(tokenizer().encode("a", text::SpecialTokens::as_text).front());
  logits[a] = 1;
  Drawn drawn = writer.draw(logits).value();
  EXPECT_EQ(drawn.token, static_cast<std::int32_t>(a));
  // Logprobs are the model's own, before anything was forbidden.
  EXPECT_LT(drawn.logprob, -40);
  ASSERT_EQ(drawn.top.size(), 1u);
  EXPECT_EQ(drawn.top[0].token, 'x');
  writer.write(std::move(drawn));
  // A number that is none where nothing may come hurts nobody; the token is forced, its logprob well defined.
  logits = flat();
  drawn = writer.draw(logits).value();
  EXPECT_NEAR(drawn.logprob, -std::log(static_cast<double>(tokenizer().size())), 1e-6);
  writer.write(std::move(drawn));
  EXPECT_TRUE(writer.finished());
  EXPECT_EQ(writer.answer().text, "ac");
  EXPECT_EQ(writer.answer().finish_reason, FinishReason::stop);
}

TEST(Grammars, NumbersThatAreNoneCountOnlyWhereATokenMayCome) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.grammar = *grammars().regex("[ab]");
  Writer writer(options, tokenizer(), {});
  std::vector<float> logits = flat();
  logits['x'] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(writer.draw(logits));
  for (float& logit : logits) logit = std::numeric_limits<float>::quiet_NaN();
  const auto refused = writer.draw(logits);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::numeric_error);
}

TEST(Grammars, ADeadEndIsAnErrorByName) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  const std::vector<std::string> words{"\x01", "\x02"};
  options.grammar = *grammars().choice(words);
  for (const std::string& word : words)
    options.logit_bias[tokenizer().encode(word, text::SpecialTokens::as_text).front()] = -100;
  Writer writer(options, tokenizer(), {});
  std::vector<float> logits = flat();
  const auto refused = writer.draw(logits);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::grammar_dead_end);
}

TEST(Grammars, StopTokensEndAnAnswerOnlyWhereItsTextMayEnd) {
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.stop_tokens = {'b'};  // one that has a text, too
  options.min_tokens = 1;
  options.grammar = *grammars().regex("[ab]+");
  Writer writer(options, tokenizer(), {});
  const auto next = [&](std::int32_t wanted) {
    std::vector<float> logits = flat();
    logits[static_cast<std::size_t>(wanted)] = 9;
    Drawn drawn = writer.draw(logits).value();
    const std::int32_t token = drawn.token;
    writer.write(std::move(drawn));
    return token;
  };
  EXPECT_NE(next('b'), 'b');
  EXPECT_FALSE(writer.finished());
  EXPECT_EQ(next('b'), 'b');
  EXPECT_TRUE(writer.finished());
  EXPECT_EQ(writer.answer().stop_token, 'b');
}

TEST(Grammars, ForcedTokensNeedNoLogitsAndSayTheText) {
  GenerateOptions options;
  options.grammar = *grammars().regex("(yes|no): the answer is (certain|open)");
  Writer writer(options, tokenizer(), {});
  std::vector<float> logits = flat();
  EXPECT_TRUE(writer.forced().empty());
  writer.write(writer.draw(logits).value());
  std::size_t forced = 0;
  while (!writer.forced().empty()) {
    Drawn drawn = writer.draw({}).value();
    writer.write(std::move(drawn));
    ++forced;
  }
  EXPECT_GE(forced, 3u);
  EXPECT_EQ(writer.answer().forced_tokens, static_cast<std::int64_t>(forced));
  EXPECT_TRUE(writer.answer().text.contains(": the answer")) << writer.answer().text;
  // Guesses are taken as far as the grammar goes with them.
  Writer other(options, tokenizer(), {});
  std::vector<std::int32_t> guesses =
      tokenizer().encode("no: the answers", text::SpecialTokens::as_text);
  const std::size_t fitting = other.fitting(guesses);
  EXPECT_GT(fitting, 0u);
  EXPECT_LT(fitting, guesses.size());
  EXPECT_EQ(other.fitting(guesses), fitting);
}

TEST(Grammars, RemembersByContentWithinItsBounds) {
  Grammars own(tokenizer(), tokenizer().size());
  const auto one = own.regex("a+");
  EXPECT_EQ(one->get(), own.regex("a+")->get());
  EXPECT_NE(one->get(), own.regex("b+")->get());
  EXPECT_NE(own.json_schema(parsed("{\"type\":\"object\"}"), true)->get(),
            own.json_schema(parsed("{\"type\":\"object\"}"), false)->get());
  EXPECT_EQ(own.state().found, 1u);
  for (std::size_t i = 0; i < 3 * grammar::limits::grammars_max; ++i) {
    const auto grammar = own.regex(fmt::format("x{}y*", i));
    ASSERT_TRUE(grammar);
    grammar::Constraint constraint = (*grammar)->begin({});
    (void)constraint.mask();
  }
  const Grammars::State state = own.state();
  EXPECT_EQ(state.grammars, grammar::limits::grammars_max);
  EXPECT_LE(state.bytes, grammar::limits::grammars_bytes_max + grammar::limits::masks_bytes_max);
  EXPECT_FALSE(own.regex("("));
  EXPECT_EQ(own.state().refused, 1u);
  EXPECT_FALSE(own.regex(std::string(grammar::limits::text_bytes_max, 'a')));
}

}  // namespace
}  // namespace herd::engine
