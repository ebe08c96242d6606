#include "engine/engine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "base/file.h"
#include "engine/bundle.h"
#include "llama4/load.h"

namespace herd::engine {
namespace {

// Collects what it hears; wait() gives the end.
class Collector : public Listener {
 public:
  void token(const TokenEvent& event) override {
    const std::lock_guard lock(mutex_);
    text += event.text;
    tokens.push_back(event.token);
  }
  void finished(Result<Answer> answer) override {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
    done_.notify_all();
  }
  Result<Answer> wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return answer_.has_value(); });
    return *answer_;
  }

  std::string text;
  std::vector<std::int32_t> tokens;

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  std::optional<Result<Answer>> answer_;
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
}

}  // namespace
}  // namespace herd::engine
