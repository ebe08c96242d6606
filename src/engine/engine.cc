#include "engine/engine.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/worker.h"
#include "engine/session.h"

namespace herd::engine {
namespace {

using Clock = Request::Clock;

double ms_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

}  // namespace

// One request after the other.
class Engine::Loop {
 public:
  Loop(ThreadPool& pool, Session session, std::unique_ptr<Context> ctx,
       const text::Tokenizer& tokenizer, const EngineOptions& options)
      : options_(options),
        tokenizer_(&tokenizer),
        ctx_(std::move(ctx)),
        session_(std::move(session)) {
    (void)pool;
    state_.running_max = 1;
    state_.waiting_max = options.queue;
    state_.context = options.context;
    state_.retry_after_s = 1;
    state_.heartbeat = Clock::now();
    worker_.emplace("engine", [this](std::stop_token stop) { run(stop); });
  }
  ~Loop() {
    worker_->request_stop();
    wake_.notify_all();
    worker_.reset();
  }

  struct Job {
    std::uint64_t id = 0;
    Request request;
    std::shared_ptr<Listener> listener;  // shared with whoever submitted
    Clock::time_point arrived;
    bool cancelled = false;
  };

  // The listener is shared, see engine.h.
  Result<std::uint64_t> submit(Request request, std::shared_ptr<Listener> listener) {
    const auto tokens = static_cast<std::int64_t>(request.prompt.tokens.size());
    if (tokens == 0) return fail(Code::conversation_invalid, "the prompt has no tokens");
    if (tokens > options_.context)
      return fail(Code::context_length_exceeded,
                  "the prompt is {} tokens, the context holds {}; shorten it by {} tokens", tokens,
                  options_.context, tokens - options_.context);
    const std::lock_guard lock(mutex_);
    if (state_.draining) return fail(Code::shutting_down, "no new requests are taken");
    if (static_cast<std::int64_t>(waiting_.size()) >= options_.queue + 1) {
      ++state_.refused;
      return fail(Code::queue_full, "{} requests wait already", waiting_.size());
    }
    const std::uint64_t id = ++last_id_;
    waiting_.push_back({id, std::move(request), std::move(listener), Clock::now(), false});
    ++state_.submitted;
    wake_.notify_all();
    return id;
  }

  void cancel(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    if (running_id_ == id) running_stop_.request_stop();
    for (Job& job : waiting_)
      if (job.id == id) job.cancelled = true;
  }

  EngineState state() const {
    const std::lock_guard lock(mutex_);
    EngineState state = state_;
    state.running = running_id_ != 0 ? 1 : 0;
    state.waiting = static_cast<std::int64_t>(waiting_.size());
    if (running_id_ == 0) state.heartbeat = Clock::now();
    return state;
  }

  bool drain(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    state_.draining = true;
    return idle_.wait_for(lock, timeout, [&] { return running_id_ == 0 && waiting_.empty(); });
  }

  const EngineOptions options_;

 private:
  void run(std::stop_token stop) {
    for (;;) {
      std::unique_lock lock(mutex_);
      running_id_ = 0;
      idle_.notify_all();
      wake_.wait(lock, [&] { return stop.stop_requested() || !waiting_.empty(); });
      if (waiting_.empty()) return;
      Job job = std::move(waiting_.front());
      waiting_.pop_front();
      running_id_ = job.id;
      running_stop_ = std::stop_source();
      if (job.cancelled) running_stop_.request_stop();
      lock.unlock();
      Result<Answer> answer =
          stop.stop_requested()
              ? fail(Code::shutting_down, "the engine ended before the request was finished")
              : serve(job);
      lock.lock();
      ++(!answer                                            ? state_.failed
         : answer->finish_reason == FinishReason::cancelled ? state_.cancelled
                                                            : state_.finished);
      if (answer) {
        state_.prompt_tokens += static_cast<std::uint64_t>(answer->prompt_tokens);
        state_.reused_tokens += static_cast<std::uint64_t>(answer->reused_tokens);
        state_.answer_tokens += answer->tokens.size();
      }
      lock.unlock();
      job.listener->finished(std::move(answer));
    }
  }

  Result<Answer> serve(const Job& job) {
    const Request& request = job.request;
    const auto started = Clock::now();
    if (request.deadline && *request.deadline < started)
      return fail(Code::deadline_exceeded, "the request waited past its deadline");
    Writer writer(request.options, *tokenizer_, request.prompt.tokens);
    const std::stop_token cancel = running_stop_.get_token();
    HERD_TRY(std::span<float> logits, session_.prefill(
                                          request.prompt,
                                          [&](std::int64_t done, std::int64_t total) {
                                            beat();
                                            job.listener->progress(done, total);
                                          },
                                          cancel));
    const auto first = Clock::now();
    while (!writer.finished()) {
      beat();
      if (cancel.stop_requested() || logits.empty()) {
        writer.end(FinishReason::cancelled);
        break;
      }
      if (request.deadline && *request.deadline < Clock::now())
        return fail(Code::deadline_exceeded, "the answer was not finished before its deadline");
      HERD_TRY(Drawn drawn, writer.draw(logits));
      const std::int32_t token = drawn.token;
      const Writer::Written written = writer.write(std::move(drawn));
      if (written.belongs) job.listener->token(written.event);
      if (writer.finished()) break;
      if (session_.length() >= session_.context()) {
        writer.end(FinishReason::length);
        break;
      }
      HERD_TRY(logits, session_.step(token));
    }
    Answer answer = writer.take();
    answer.reused_tokens = session_.reused();
    answer.queue_ms = ms_between(job.arrived, started);
    answer.prefill_ms = ms_between(started, first);
    answer.decode_ms = ms_between(first, Clock::now());
    return answer;
  }

  void beat() {
    const std::lock_guard lock(mutex_);
    ++state_.steps;
    state_.heartbeat = Clock::now();
  }

  const text::Tokenizer* tokenizer_;
  std::unique_ptr<Context> ctx_;
  Session session_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<Job> waiting_;
  EngineState state_;
  std::uint64_t last_id_ = 0, running_id_ = 0;
  std::stop_source running_stop_;
  std::optional<Worker> worker_;
};

Engine::Engine(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::create(const llama4::Model& model,
                                               const text::Tokenizer& tokenizer, ThreadPool& pool,
                                               const EngineOptions& options, DType kv_dtype) {
  auto ctx = std::make_unique<Context>(cpu_kernels(), pool);
  HERD_TRY(Session session,
           Session::create(model, *ctx, {.context = options.context, .kv_dtype = kv_dtype}));
  auto loop = std::make_unique<Loop>(pool, std::move(session), std::move(ctx), tokenizer, options);
  return std::make_unique<Engine>(std::move(loop));
}

Result<std::uint64_t> Engine::submit(Request request, std::shared_ptr<Listener> listener) {
  // The listener is shared: see engine.h.
  return loop_->submit(std::move(request), std::move(listener));
}

void Engine::cancel(std::uint64_t id) { loop_->cancel(id); }
EngineState Engine::state() const { return loop_->state(); }
const EngineOptions& Engine::options() const { return loop_->options_; }
bool Engine::drain(std::chrono::milliseconds timeout) { return loop_->drain(timeout); }

}  // namespace herd::engine
