#include "engine/engine.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/file.h"
#include "engine/bundle.h"
#include "engine/grammars.h"
#include "engine/testing/waiting_listener.h"
#include "llama4/load.h"

namespace herd::engine {
namespace {

// Collects what it hears; wait() gives the end. Read what it has only then.
class Collector : public WaitingListener {
 public:
  void token(const TokenEvent& event) override {
    text += event.text;
    tokens.push_back(event.token);
  }

  std::string text;
  std::vector<std::int32_t> tokens;
};

class EngineOnCria : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path path = fs::path(HERD_ROOT) / "models/cria";
    auto result = llama4::load(path);
    ASSERT_TRUE(result.has_value()) << to_string(result.error());
    loaded = std::move(*result);
    auto opened = Bundle::open(path, loaded->config());
    ASSERT_TRUE(opened.has_value());
    bundle.emplace(std::move(*opened));
  }
  std::unique_ptr<Engine> engine(const EngineOptions& options) {
    return std::move(Engine::create(loaded->model(), bundle->tokenizer, pool, options).value());
  }
  Request request(std::string_view text, std::int64_t tokens) {
    Request request;
    request.prompt = bundle->raw_prompt(text);
    request.options.max_tokens = tokens;
    request.options.sampling.temperature = 0;
    return request;
  }

  ThreadPool pool{2};
  std::unique_ptr<llama4::Loaded> loaded;
  std::optional<Bundle> bundle;
};

TEST_F(EngineOnCria, SaysWhatItsEventsSay) {
  auto running = engine({.context = 512});
  const auto listener = std::make_shared<Collector>();  // shared with the engine
  ASSERT_TRUE(running->submit(request("Once upon a time", 12), listener).has_value());
  const Result<Answer> answer = listener->wait();
  ASSERT_TRUE(answer.has_value()) << to_string(answer.error());
  EXPECT_EQ(answer->text, listener->text + answer->tail);
  EXPECT_EQ(answer->tokens, listener->tokens);
  EXPECT_EQ(answer->tokens.size(), 12u);
  EXPECT_EQ(answer->finish_reason, FinishReason::length);
}

TEST_F(EngineOnCria, RefusesWhatCannotFitAtOnce) {
  auto running = engine({.context = 4});
  const auto listener = std::make_shared<Collector>();  // shared with the engine
  const auto refused = running->submit(request("far too long for four tokens", 1), listener);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::context_length_exceeded);
  Request biased = request("a", 1);
  biased.options.logit_bias[1 << 20] = 1.0f;
  EXPECT_EQ(running->submit(std::move(biased), listener).error().code, Code::out_of_range);
  Request predicted = request("a", 1);
  predicted.prediction = {-1};
  EXPECT_EQ(running->submit(std::move(predicted), listener).error().code, Code::out_of_range);
}

TEST_F(EngineOnCria, ManyAtOnceSayWhatEachSaysAlone) {
  const std::vector<std::string> texts{"Once upon a time", "The", "A dog and", "It was a day",
                                       "Why"};
  std::vector<Answer> alone;
  for (const std::string& text : texts) {
    auto one = engine({.context = 512, .sequences = 1});
    const auto listener = std::make_shared<Collector>();  // shared with the engine
    ASSERT_TRUE(one->submit(request(text, 24), listener).has_value());
    alone.push_back(listener->wait().value());
  }
  auto running = engine({.context = 512, .sequences = 3, .step_tokens = 16});
  std::vector<std::shared_ptr<Collector>> listeners;  // shared with the engine
  for (int round = 0; round < 4; ++round)
    for (const std::string& text : texts) {
      listeners.push_back(std::make_shared<Collector>());  // shared with the engine
      ASSERT_TRUE(running->submit(request(text, 24), listeners.back()).has_value());
    }
  for (std::size_t i = 0; i < listeners.size(); ++i)
    EXPECT_EQ(listeners[i]->wait().value().tokens, alone[i % texts.size()].tokens) << i;
  EXPECT_TRUE(running->drain(std::chrono::seconds(10)));
  const EngineState state = running->state();
  EXPECT_EQ(state.running + state.waiting, 0);
  EXPECT_EQ(state.pages_free + state.pages_cached, state.pages);
  EXPECT_EQ(state.finished, 20u);
}

TEST_F(EngineOnCria, RefusesEarlyWhenTheQueueIsFullAndTakesMoreWhenItIsNot) {
  auto running = engine({.context = 2048, .sequences = 1, .queue = 1});
  std::vector<std::shared_ptr<Collector>> listeners;  // shared with the engine
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 2; ++i) {
    listeners.push_back(std::make_shared<Collector>());  // shared with the engine
    Request endless = request("Once", 2000);
    endless.options.ignore_eos = true;
    ids.push_back(running->submit(std::move(endless), listeners.back()).value());
  }
  const auto third = std::make_shared<Collector>();  // shared with the engine
  const auto refused = running->submit(request("Once", 2), third);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::queue_full);
  EXPECT_GE(running->state().retry_after_s, 1.0);
  EXPECT_EQ(running->state().refused, 1u);
  running->cancel(ids[0]);  // one that runs
  running->cancel(ids[1]);  // one that waits, or has just begun
  for (const auto& listener : listeners)
    EXPECT_EQ(listener->wait().value().finish_reason, FinishReason::cancelled);
  for (;;) {  // the place is free within a step
    const auto taken = running->submit(request("Once", 2), third);
    if (taken) break;
  }
  EXPECT_EQ(third->wait().value().tokens.size(), 2u);
}

TEST_F(EngineOnCria, EndsWhatIsPastItsDeadline) {
  auto running = engine({.context = 2048, .sequences = 1});
  const auto now = Request::Clock::now();
  const auto slow = std::make_shared<Collector>(), late = std::make_shared<Collector>();  // shared
  Request endless = request("Once", 2000);
  endless.options.ignore_eos = true;
  endless.deadline = now + std::chrono::milliseconds(100);
  Request waits = request("Once", 1);
  waits.deadline = now + std::chrono::milliseconds(50);
  ASSERT_TRUE(running->submit(std::move(endless), slow).has_value());
  ASSERT_TRUE(running->submit(std::move(waits), late).has_value());
  EXPECT_EQ(slow->wait().error().code, Code::deadline_exceeded);
  const auto second = late->wait();
  EXPECT_TRUE(second.has_value() || second.error().code == Code::deadline_exceeded);
  const EngineState state = running->state();
  EXPECT_LE(state.failed, 2u);
}

TEST_F(EngineOnCria, TellsEverybodyWhenItEnds) {
  const auto first = std::make_shared<Collector>(),
             second = std::make_shared<Collector>();  // shared
  {
    auto running = engine({.context = 2048, .sequences = 1});
    for (const auto& listener : {first, second}) {
      Request endless = request("Once", 2000);
      endless.options.ignore_eos = true;
      ASSERT_TRUE(running->submit(std::move(endless), listener).has_value());
    }
    EXPECT_FALSE(running->drain(std::chrono::milliseconds(1)));
    EXPECT_EQ(running->submit(request("Once", 1), first).error().code, Code::shutting_down);
    EXPECT_TRUE(running->state().draining);
  }
  EXPECT_EQ(first->wait().error().code, Code::shutting_down);
  EXPECT_EQ(second->wait().error().code, Code::shutting_down);
}

TEST_F(EngineOnCria, ReadsASharedBeginningOnceAndNeverForAnotherTenant) {
  auto running = engine({.context = 1024, .sequences = 4});
  const std::string text = [] {
    std::string words;
    for (int i = 0; i < 100; ++i) words += "a dog and a cat; ";
    return words;
  }();
  auto ask = [&](const std::string& tenant, const std::string& more) {
    Request asked = request(text + more, 4);
    asked.tenant = tenant;
    const auto listener = std::make_shared<Collector>();  // shared with the engine
    EXPECT_TRUE(running->submit(std::move(asked), listener).has_value());
    return listener;
  };
  const Answer first = ask("a", "one")->wait().value();
  ASSERT_GT(first.prompt_tokens, 300);
  EXPECT_EQ(first.reused_tokens, 0);
  EXPECT_NE(first.reuse_note, "");
  const Answer again = ask("a", "one")->wait().value();
  EXPECT_EQ(again.reused_tokens, (again.prompt_tokens - 1) / 64 * 64);
  EXPECT_EQ(again.text, first.text);
  EXPECT_GT(ask("a", "two")->wait().value().reused_tokens, again.prompt_tokens - 140);
  EXPECT_EQ(ask("b", "one")->wait().value().reused_tokens, 0);
  // Several at once: one reads, the others take up what it has read.
  const auto one = ask("c", "one"), two = ask("c", "one"), three = ask("c", "one");
  std::int64_t reused = 0;
  for (const auto& listener : {one, two, three}) {
    const Answer answer = listener->wait().value();
    EXPECT_EQ(answer.text, first.text);
    reused += answer.reused_tokens;
  }
  EXPECT_GE(reused, 2 * (again.reused_tokens - 64));
}

TEST_F(EngineOnCria, GuessesFromThePredictionAndSaysHowManyWereRight) {
  auto running = engine({.context = 512, .draft_tokens = 4});
  const auto plain = std::make_shared<Collector>();  // shared with the engine
  ASSERT_TRUE(running->submit(request("Once upon a time", 40), plain).has_value());
  const Answer wanted = plain->wait().value();
  Request helped = request("Once upon a time", 40);
  helped.prediction = wanted.tokens;
  const auto listener = std::make_shared<Collector>();  // shared with the engine
  ASSERT_TRUE(running->submit(std::move(helped), listener).has_value());
  const Answer answer = listener->wait().value();
  EXPECT_EQ(answer.tokens, wanted.tokens);
  EXPECT_GT(answer.accepted_prediction_tokens, 0);
  EXPECT_EQ(answer.rejected_prediction_tokens, 0);
}

TEST_F(EngineOnCria, GivesLogprobsOfThePromptBeforeTheAnswer) {
  class Echo : public Collector {
   public:
    void prompt_logprobs(std::span<const TokenEvent> given) override {
      EXPECT_TRUE(tokens.empty());
      events.assign(given.begin(), given.end());
    }
    std::vector<TokenEvent> events;
  };
  auto running = engine({.context = 512});
  for (const std::int64_t more : {0, 3}) {
    Request asked = request("Once upon a time", more);
    asked.prompt_logprobs = true;
    asked.options.top_logprobs = 2;
    const auto tokens = asked.prompt.tokens;
    const auto listener = std::make_shared<Echo>();  // shared with the engine
    ASSERT_TRUE(running->submit(std::move(asked), listener).has_value());
    EXPECT_EQ(std::ssize(listener->wait().value().tokens), more);
    ASSERT_EQ(listener->events.size(), tokens.size());
    for (std::size_t i = 1; i < tokens.size(); ++i) {
      EXPECT_EQ(listener->events[i].token, tokens[i]);
      EXPECT_LT(listener->events[i].logprob, 0.0);
      ASSERT_EQ(listener->events[i].top.size(), 2u);
      EXPECT_GE(listener->events[i].top[0].logprob, listener->events[i].top[1].logprob);
    }
  }
}

// Several that belong together are taken all, or none of them.
TEST_F(EngineOnCria, TakesAllOfAGroupOrNone) {
  auto running = engine({.context = 512, .sequences = 1, .queue = 2});
  const auto group = [&](std::size_t count) {
    std::vector<Request> requests;
    std::vector<std::shared_ptr<Listener>> listeners;  // shared with the engine
    for (std::size_t i = 0; i < count; ++i) {
      requests.push_back(request("Once upon a time", 200));
      requests.back().options.ignore_eos = true;
      listeners.push_back(std::make_shared<Collector>());  // shared with the engine
    }
    return running->submit(std::move(requests), std::move(listeners));
  };
  // More than there can ever be room for is no matter of waiting.
  const auto never = group(4);
  ASSERT_FALSE(never.has_value());
  EXPECT_EQ(never.error().code, Code::out_of_range);
  const auto taken = group(2);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(*taken, (std::vector<std::uint64_t>{1, 2}));
  const auto refused = group(2);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::queue_full);
  EXPECT_EQ(running->state().refused, 2u);
  EXPECT_TRUE(running->drain(std::chrono::seconds(60)));
  EXPECT_EQ(running->state().submitted, 2u);
}

// Pictures of requests that wait take memory, which is bounded; answers to one prompt share theirs.
TEST_F(EngineOnCria, BoundsTheMemoryOfPicturesThatWait) {
  const auto& vision = *bundle->config.vision;
  const auto with_picture = [&] {
    Request asked = request("What is this?", 200);
    asked.options.ignore_eos = true;
    const auto numbers = static_cast<std::size_t>(3 * vision.image_size * vision.image_size);
    asked.prompt.pictures.push_back(
        {.tiles = 1, .side = vision.image_size, .pixels = std::vector<float>(numbers, 0.5f)});
    for (std::int64_t i = 0; i < vision.tokens_per_tile(); ++i) {
      asked.prompt.patches.push_back(std::ssize(asked.prompt.tokens));
      asked.prompt.tokens.push_back(bundle->config.image_token);
    }
    asked.prompt.tokens.push_back(5);
    return asked;
  };
  auto running = engine({.context = 512, .sequences = 1, .queue = 20, .pictures_mib = 0});
  const auto submit = [&](std::vector<Request> requests) {
    std::vector<std::shared_ptr<Listener>> listeners;  // shared with the engine
    for (std::size_t i = 0; i < requests.size(); ++i)
      listeners.push_back(std::make_shared<Collector>());
    return running->submit(std::move(requests), std::move(listeners));
  };
  // One alone may have what it wants, and so may copies of it.
  const Request one = with_picture();
  ASSERT_TRUE(submit({one, one, one}).has_value());
  const auto other = submit({with_picture()});
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, Code::queue_full);
  EXPECT_NE(other.error().message.find("the pictures of waiting requests take"), std::string::npos);
  EXPECT_TRUE(submit({request("Hello", 1)}).has_value());
  EXPECT_TRUE(running->drain(std::chrono::seconds(30)));
}

// A picture that came out of the prefix cache and is gone from it after a preemption is looked at again.
TEST_F(EngineOnCria, LooksAgainAtAPictureWhosePrefixIsGone) {
  const auto& vision = *bundle->config.vision;
  const auto numbers = static_cast<std::size_t>(3 * vision.image_size * vision.image_size);
  const Pixels pixels = std::vector<float>(numbers, 0.25f);
  const auto asked = [&](std::int64_t words, std::int64_t tokens, const char* tenant) {
    Request out = request("", tokens);
    out.prompt.tokens.clear();
    for (std::int64_t i = 0; i < 100; ++i)
      out.prompt.tokens.push_back(static_cast<std::int32_t>(10 + i));
    out.prompt.pictures.push_back({.tiles = 1, .side = vision.image_size, .pixels = pixels});
    for (std::int64_t i = 0; i < vision.tokens_per_tile(); ++i) {
      out.prompt.patches.push_back(std::ssize(out.prompt.tokens));
      out.prompt.tokens.push_back(bundle->config.image_token);
    }
    for (std::int64_t i = 0; i < words; ++i)
      out.prompt.tokens.push_back(static_cast<std::int32_t>(10 + i % 50));
    out.tenant = tenant;
    out.options.ignore_eos = true;
    return out;
  };
  const auto plain = [&](std::int64_t words, std::int64_t tokens, const char* tenant) {
    Request out = asked(0, tokens, tenant);
    out.prompt = {};
    for (std::int64_t i = 0; i < words; ++i)
      out.prompt.tokens.push_back(static_cast<std::int32_t>(900 + i % 90));
    return out;
  };
  const auto answer_of = [&](Engine& running, Request one) {
    const auto listener = std::make_shared<Collector>();  // shared with the engine
    EXPECT_TRUE(running.submit(std::move(one), listener).has_value());
    return listener->wait().value();
  };
  auto quiet = engine({.context = 512});
  const Answer wanted = answer_of(*quiet, asked(30, 120, "a"));
  std::uint64_t preemptions = 0;
  for (const std::int64_t words : {394, 450, 470, 490}) {
    auto running = engine({.context = 512, .sequences = 2, .kv_tokens = 512, .draft_tokens = 0});
    answer_of(*running, asked(30, 2, "a"));
    const auto long_one = std::make_shared<Collector>(), again = std::make_shared<Collector>(),
               other = std::make_shared<Collector>();  // shared with the engine
    ASSERT_TRUE(running->submit(plain(20, 200, "a"), long_one).has_value());
    ASSERT_TRUE(running->submit(asked(30, 120, "a"), again).has_value());
    for (int i = 0; i < 5000 && running->state().running < 2; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(running->submit(plain(words, 20, "b"), other).has_value());
    EXPECT_EQ(again->wait().value().tokens, wanted.tokens) << words;
    long_one->wait().value();
    other->wait().value();
    preemptions += running->state().preemptions;
  }
  EXPECT_GT(preemptions, 0u);
}

// Tokens that a grammar forces go through with the token in front of them, whether or not guesses are wanted.
TEST_F(EngineOnCria, FollowsGrammarsAndSpendsNoPassOnWhatIsForced) {
  Grammars grammars(bundle->tokenizer, bundle->config.text.vocabulary);
  const auto grammar = grammars.regex(
      "The (dog|cat) that lives in the house at the end of the street is (small|large), and "
      "everybody who lives there (knows|likes) it very much indeed\\.");
  ASSERT_TRUE(grammar.has_value()) << to_string(grammar.error());
  std::string first;
  for (const std::int64_t drafts : {0, 4})
    for (const std::int64_t logprobs : {-1, 0}) {
      auto running = engine({.context = 512, .draft_tokens = drafts});
      const auto listener = std::make_shared<Collector>();  // shared with the engine
      Request asked = request("Tell me.", 200);
      asked.options.grammar = *grammar;
      asked.options.top_logprobs = logprobs;
      ASSERT_TRUE(running->submit(std::move(asked), listener).has_value());
      const Answer answer = listener->wait().value();
      EXPECT_EQ(answer.finish_reason, FinishReason::stop);
      EXPECT_TRUE(answer.text.ends_with("very much indeed.")) << answer.text;
      EXPECT_GT(answer.forced_tokens, 15);
      EXPECT_LT(running->state().steps, answer.tokens.size() - 10);
      if (first.empty()) first = answer.text;
      EXPECT_EQ(answer.text, first);
    }
}

TEST_F(EngineOnCria, ADeadEndEndsItsRequestAndNoOther) {
  Grammars grammars(bundle->tokenizer, bundle->config.text.vocabulary);
  const std::vector<std::string> words{"\x01", "\x02"};
  auto running = engine({.context = 512});
  Request dead = request("Hello", 9);
  dead.options.grammar = grammars.choice(words).value();
  for (const std::string& word : words)
    dead.options.logit_bias[bundle->tokenizer.encode(word, text::SpecialTokens::as_text).front()] =
        -100;
  const auto ends = std::make_shared<Collector>();   // shared with the engine
  const auto lives = std::make_shared<Collector>();  // shared with the engine
  ASSERT_TRUE(running->submit(request("Once upon a time", 12), lives).has_value());
  ASSERT_TRUE(running->submit(std::move(dead), ends).has_value());
  const auto refused = ends->wait();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::grammar_dead_end);
  EXPECT_EQ(lives->wait().value().tokens.size(), 12u);
  ASSERT_TRUE(
      running->drain(std::chrono::seconds(10)));  // what it says of itself follows the answers
  const EngineState state = running->state();
  EXPECT_EQ(state.pages_free + state.pages_cached, state.pages);
}

// The engine's thread calls back; from there one may ask again, and give up.
TEST_F(EngineOnCria, AListenerMaySubmitAndCancel) {
  class Again : public Collector {
   public:
    void token(const TokenEvent& event) override {
      Collector::token(event);
      if (running != nullptr) running->cancel(id);
    }
    Engine* running = nullptr;
    std::uint64_t id = 0;
  };
  auto running = engine({.context = 2048, .sequences = 2});
  const auto listener = std::make_shared<Again>();  // shared with the engine
  listener->running = running.get();
  listener->id = 1;
  Request endless = request("Once", 2000);
  endless.options.ignore_eos = true;
  ASSERT_EQ(running->submit(std::move(endless), listener).value(), 1u);
  const Answer answer = listener->wait().value();
  EXPECT_EQ(answer.finish_reason, FinishReason::cancelled);
  EXPECT_LE(answer.tokens.size(), 2u);  // within one step
}

TEST_F(EngineOnCria, ItsHeartBeatsWhetherBusyOrNot) {
  auto running = engine({.context = 64});
  const auto before = Request::Clock::now();
  EXPECT_GE(running->state().heartbeat, before - std::chrono::seconds(5));
  const auto listener = std::make_shared<Collector>();  // shared with the engine
  ASSERT_TRUE(running->submit(request("Once", 4), listener).has_value());
  (void)listener->wait();
  EXPECT_GE(running->state().heartbeat, before);
}

}  // namespace
}  // namespace herd::engine
