// Many answers at once on one model. One thread owns the model: it takes requests from a bounded queue, runs the next
// rows of many of them in one forward pass, draws a token for each, and tells their listeners. What else runs changes
// when an answer comes, never what it says: it is bit for bit what generate() gives.
//
//   auto engine = Engine::create(model, tokenizer, pool, {.context = 8192});
//   auto id = (*engine)->submit(std::move(request), listener);
//   (*engine)->cancel(*id);
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/options.h"
#include "base/thread_pool.h"
#include "engine/answer.h"
#include "engine/prefix_store.h"
#include "engine/prompt.h"
#include "llama4/adapter.h"
#include "llama4/model.h"

namespace herd::engine {

struct EngineOptions {
  std::int64_t context = 8192;
  std::int64_t sequences = 16;
  std::int64_t step_tokens = 512;
  std::int64_t queue = 256;
  std::int64_t kv_tokens = 0;
  std::int64_t draft_tokens = 4;
  std::int64_t pictures_mib = 1024;
  std::int64_t picture_cache_mib = 256;
  bool prefix_cache = true;

  static constexpr auto fields() {
    using O = EngineOptions;
    return option_list(
        option("context", &O::context, "tokens that a prompt and its answer may have together",
               Range{1, 1ll << 40}),
        option("sequences", &O::sequences, "answers written at the same time", Range{1, 4096}),
        option("step_tokens", &O::step_tokens, "tokens of one pass through the model",
               Range{1, 1 << 20}),
        option("queue", &O::queue, "requests that may wait for their turn", Range{0, 1 << 20}),
        option("kv_tokens", &O::kv_tokens,
               "tokens whose keys and values are kept, those of cached prefixes included; 0 for as "
               "many as half the free memory holds, at most what all sequences need",
               Range{0, 1ll << 40}),
        option("draft_tokens", &O::draft_tokens,
               "tokens guessed from what repeats and checked in one pass; 0 for none",
               Range{0, 64}),
        option("pictures_mib", &O::pictures_mib,
               "memory for the pictures of requests that run or wait; one request may have more",
               Range{0, 1 << 20}),
        option("picture_cache_mib", &O::picture_cache_mib,
               "memory for what pictures seen before became", Range{0, 1 << 20}),
        option("prefix_cache", &O::prefix_cache,
               "keep what prompts have in common for the next one"));
  }
};

// A prompt as one vector: of the final norm's outputs [rows, D], their mean, or the one of the last token.
enum class Pooling : std::uint8_t { none, mean, last };

struct Request {
  using Clock = std::chrono::steady_clock;

  Prompt prompt;
  GenerateOptions options;
  std::string tenant;  // whose: turns are fair between tenants, prefixes and pictures never shared
  std::int32_t priority = 0;                  // higher goes first; waiting makes up for it in time
  std::optional<Clock::time_point> deadline;  // then it fails, wherever it stands
  bool prompt_logprobs = false;               // as options.top_logprobs says, for each prompt token
  Pooling pooling = Pooling::none;       // with options.max_tokens 0: the vector alone is wanted
  std::vector<std::int32_t> prediction;  // the answer the caller expects, for speed alone
  // What its rows bring beside the model's own weights; shared with whoever loads and forgets them.
  std::shared_ptr<const llama4::LoadedAdapters> adapters;
};

// Hears what becomes of one request. Called on the engine's thread: must not block, must not call the engine's
// destructor; may call submit and cancel. finished() is the last call, and always comes.
class Listener {
 public:
  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;

  // Prompt tokens that have been read, of all. Again from a smaller number after a preemption.
  virtual void progress(std::int64_t /*done*/, std::int64_t /*total*/) {}
  // Once, before the first token, where asked for: one for each prompt token, the first without numbers. No texts.
  virtual void prompt_logprobs(std::span<const TokenEvent> /*events*/) {}
  // Once, where pooling is asked for [D], as the model gives it: of no particular length.
  virtual void embedding(std::span<const float> /*vector*/) {}
  virtual void token(const TokenEvent& event) = 0;
  // Answer::text is what all events said, then Answer::tail. Fails with deadline_exceeded, numeric_error,
  // shutting_down.
  virtual void finished(Result<Answer> answer) = 0;
};

// A moment of the engine, for metrics and readiness. Counters count since the start.
struct EngineState {
  std::int64_t running = 0, waiting = 0;  // requests
  std::int64_t running_max = 0, waiting_max = 0;
  std::int64_t context = 0;
  // Pages of 64 tokens' keys and values, of global and of local layers.
  std::int64_t pages = 0, pages_free = 0,
               pages_cached = 0;  // cached: held by prefixes nobody uses now
  std::int64_t local_pages = 0, local_pages_free = 0, local_pages_cached = 0;
  std::uint64_t steps = 0, submitted = 0, finished = 0, cancelled = 0, failed = 0, refused = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t prompt_tokens = 0, reused_tokens = 0, answer_tokens = 0;
  std::uint64_t restored_tokens = 0;  // brought back from disk
  PrefixStore::State disk;            // all zero without one
  std::uint64_t drafted_tokens = 0, accepted_tokens = 0;
  std::uint64_t pictures_seen = 0, pictures_reused = 0;
  double retry_after_s = 0;  // when a queue that is full now may have room again: an estimate, >= 1
  std::chrono::steady_clock::time_point heartbeat;  // last time the engine's thread was alive
  bool draining = false;
};

class Engine {
 public:
  // `model`, `tokenizer` and `pool` must outlive it; nobody else may use the pool meanwhile.
  // With `store`, prefixes are kept on disk too (options.prefix_cache allowing).
  // Fails with memory_plan when keys and values of one full sequence do not fit, and as PrefixStore::open.
  static Result<std::unique_ptr<Engine>> create(const llama4::Model& model,
                                                const text::Tokenizer& tokenizer, ThreadPool& pool,
                                                const EngineOptions& options,
                                                DType kv_dtype = DType::bf16,
                                                const PrefixStoreOptions* store = nullptr);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  // What still runs is told shutting_down.
  ~Engine();

  // Takes a request and returns at once with its number, or fails: queue_full, shutting_down,
  // context_length_exceeded, out_of_range, conversation_invalid. From any thread.
  // `listener` is shared between the caller's connection and the engine, whichever ends first.
  Result<std::uint64_t> submit(Request request, std::shared_ptr<Listener> listener);

  // The same for several that belong together: all are taken, or none. Numbers in order; listeners shared as above.
  Result<std::vector<std::uint64_t>> submit(std::vector<Request> requests,
                                            std::vector<std::shared_ptr<Listener>> listeners);

  // Ends it within one step, wherever it stands: its listener hears an answer that was cancelled. A number that is not
  // known, or not any more, is no error. From any thread.
  void cancel(std::uint64_t id);

  // From any thread; never waits for a step.
  [[nodiscard]] EngineState state() const;
  [[nodiscard]] const EngineOptions& options() const;

  // Takes no more requests and waits until all have ended; true when they did within the time. From any thread but the
  // engine's own.
  bool drain(std::chrono::milliseconds timeout);

 private:
  class Loop;

 public:
  explicit Engine(std::unique_ptr<Loop> loop);  // create() is the way

 private:
  std::unique_ptr<Loop> loop_;
};

}  // namespace herd::engine
