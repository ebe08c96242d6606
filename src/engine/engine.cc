#include "engine/engine.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/memory.h"
#include "base/worker.h"
#include "engine/stepper.h"

namespace herd::engine {
namespace {

// What an engine that ends may take to write prefixes to disk.
constexpr std::chrono::seconds saving_max{10};

}  // namespace

// The thread that steps, and what other threads leave for it. The mutex is held for moments only, never over a step or
// a listener's call.
class Engine::Loop {
 public:
  using Clock = Request::Clock;

  Loop(std::unique_ptr<Stepper> stepper, const EngineOptions& options)
      : options_(options), stepper_(std::move(stepper)) {
    publish();
    worker_.emplace("engine", [this](std::stop_token stop) { run(stop); });
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    worker_->request_stop();
    {
      const std::lock_guard lock(mutex_);  // so that the thread is not between looking and waiting
    }
    wake_.notify_all();
    worker_.reset();
  }

  // The listeners are shared, see engine.h.
  Result<std::vector<std::uint64_t>> submit(std::vector<Request> requests,
                                            std::vector<std::shared_ptr<Listener>> listeners) {
    const auto count = std::ssize(requests);
    HERD_CHECK(count == std::ssize(listeners), "{} requests, {} listeners", count,
               listeners.size());
    std::vector<std::vector<std::uint64_t>> hashes;
    Stepper::KnownHashes known;  // answers to one prompt share its pictures
    for (const Request& request : requests) {
      HERD_TRY(std::vector<std::uint64_t> each, stepper_->check(request, known));
      hashes.push_back(std::move(each));
    }
    std::uint64_t pixel_bytes = 0;
    std::set<const void*> seen;
    for (const Request& request : requests)
      for (const Picture& picture : request.prompt.pictures)
        if (seen.insert(picture.pixels.identity()).second)
          pixel_bytes += picture.pixels.all().size_bytes();
    const std::int64_t most = options_.queue + options_.sequences;
    if (count > most)
      return fail(Code::out_of_range, "{} answers together, at most {} can run and wait", count,
                  most);
    const std::lock_guard lock(mutex_);
    if (draining_ || ending_) return fail(Code::shutting_down, "no new requests are taken");
    if (present_ + count > options_.queue + options_.sequences) {
      refused_ += static_cast<std::uint64_t>(count);
      return fail_with_hint(Code::queue_full,
                            fmt::format("{} requests are being answered and {} wait already",
                                        options_.sequences, options_.queue),
                            fmt::format("try again in {:.0f} s", state_.retry_after_s));
    }
    const auto pixels_max = static_cast<std::uint64_t>(options_.pictures_mib) << 20;
    if (pixel_bytes > 0 && pixel_bytes_ > 0 && pixel_bytes_ + pixel_bytes > pixels_max) {
      refused_ += static_cast<std::uint64_t>(count);
      return fail_with_hint(Code::queue_full,
                            fmt::format("the pictures of waiting requests take {} already",
                                        human_bytes(pixel_bytes_)),
                            fmt::format("try again in {:.0f} s", state_.retry_after_s));
    }
    pixel_bytes_ += pixel_bytes;
    present_ += count;
    std::vector<std::uint64_t> ids;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      ids.push_back(++last_id_);
      arrivals_.push_back({last_id_, std::move(requests[i]), std::move(hashes[i]),
                           std::move(listeners[i]), Clock::now()});
    }
    wake_.notify_all();
    return ids;
  }

  void cancel(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    cancels_.push_back(id);
    wake_.notify_all();
  }

  EngineState state() const {
    const std::lock_guard lock(mutex_);
    EngineState state = state_;
    state.waiting += std::ssize(arrivals_);
    state.refused = refused_;
    state.draining = draining_;
    if (asleep_) state.heartbeat = Clock::now();
    return state;
  }

  bool drain(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    draining_ = true;
    return gone_.wait_for(lock, timeout, [&] { return present_ == 0; });
  }

  [[nodiscard]] const EngineOptions& options() const { return options_; }

 private:
  struct Arrived {
    std::uint64_t id = 0;
    Request request;
    std::vector<std::uint64_t> picture_hashes;
    std::shared_ptr<Listener> listener;  // shared, see engine.h
    Clock::time_point at;
  };

  void run(std::stop_token stop) {
    while (take(stop)) {
      stepper_->step(Clock::now());
      publish();
    }
    for (const std::uint64_t id : stepper_->ids())
      stepper_->cancel(
          id, Error{Code::shutting_down, "the engine ended before the request was finished", {}});
    const auto patience = Clock::now() + saving_max;
    while (stepper_->saving() && Clock::now() < patience) stepper_->step(Clock::now());
    publish();
  }

  // Brings in what has come since the last step; waits while there is nothing to do. False at the end.
  bool take(std::stop_token stop) {
    std::vector<Arrived> arrivals;
    std::vector<std::uint64_t> cancels;
    bool going = true;
    {
      std::unique_lock lock(mutex_);
      asleep_ = true;
      wake_.wait(lock, [&] {
        return stop.stop_requested() || !arrivals_.empty() || !cancels_.empty() ||
               !stepper_->idle();
      });
      asleep_ = false;
      going = !stop.stop_requested();
      ending_ = !going;
      std::swap(arrivals, arrivals_);
      std::swap(cancels, cancels_);
      state_.heartbeat = Clock::now();
    }
    for (Arrived& arrived : arrivals)
      stepper_->add(arrived.id, std::move(arrived.request), std::move(arrived.picture_hashes),
                    std::move(arrived.listener), arrived.at);
    for (const std::uint64_t id : cancels) stepper_->cancel(id);
    return going;
  }

  void publish() {
    EngineState state = stepper_->state();
    std::set<const void*> seen;
    std::uint64_t pixel_bytes = stepper_->pixel_bytes(seen);
    const std::lock_guard lock(mutex_);
    for (const Arrived& arrived : arrivals_)
      for (const Picture& picture : arrived.request.prompt.pictures)
        if (seen.insert(picture.pixels.identity()).second)
          pixel_bytes += picture.pixels.all().size_bytes();
    pixel_bytes_ = pixel_bytes;
    state.heartbeat = Clock::now();
    state_ = state;
    present_ = stepper_->present() + std::ssize(arrivals_);
    if (present_ == 0) gone_.notify_all();
  }

  const EngineOptions options_;
  std::unique_ptr<Stepper> stepper_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, gone_;
  std::vector<Arrived> arrivals_;
  std::vector<std::uint64_t> cancels_;
  EngineState state_;
  std::int64_t present_ = 0;       // requests that have not ended
  std::uint64_t pixel_bytes_ = 0;  // of their pictures
  std::uint64_t last_id_ = 0, refused_ = 0;
  bool draining_ = false, ending_ = false, asleep_ = false;
  std::optional<Worker> worker_;  // last: it uses all of the above
};

Result<std::unique_ptr<Engine>> Engine::create(const llama4::Model& model,
                                               const text::Tokenizer& tokenizer, ThreadPool& pool,
                                               const EngineOptions& options, DType kv_dtype,
                                               const PrefixStoreOptions* store) {
  HERD_TRY(std::unique_ptr<Stepper> stepper,
           Stepper::create(model, tokenizer, pool, options, kv_dtype, store));
  return std::make_unique<Engine>(std::make_unique<Loop>(std::move(stepper), options));
}

Engine::Engine(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Engine::~Engine() = default;

// The listener is shared, see engine.h.
Result<std::uint64_t> Engine::submit(Request request, std::shared_ptr<Listener> listener) {
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  std::vector<std::shared_ptr<Listener>> listeners{std::move(listener)};  // shared, see engine.h
  HERD_TRY(const std::vector<std::uint64_t> ids,
           loop_->submit(std::move(requests), std::move(listeners)));
  return ids.front();
}

// The listeners are shared, see engine.h.
Result<std::vector<std::uint64_t>> Engine::submit(
    std::vector<Request> requests,
    std::vector<std::shared_ptr<Listener>> listeners) {  // shared, see engine.h
  return loop_->submit(std::move(requests), std::move(listeners));
}

void Engine::cancel(std::uint64_t id) { loop_->cancel(id); }
EngineState Engine::state() const { return loop_->state(); }
const EngineOptions& Engine::options() const { return loop_->options(); }
bool Engine::drain(std::chrono::milliseconds timeout) { return loop_->drain(timeout); }

}  // namespace herd::engine
