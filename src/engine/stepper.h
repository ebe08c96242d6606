// The engine without its thread: requests in, steps, events out. Owns what decides (Scheduler), where keys and values
// lie (KvPool), and the answers that are being written; runs the model. One caller at a time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/disk_prefixes.h"
#include "engine/engine.h"
#include "engine/picture_cache.h"
#include "engine/scheduler.h"
#include "engine/speculate.h"
#include "nn/batch.h"
#include "nn/kv_pool.h"

namespace herd::engine {

class Stepper {
 public:
  using Clock = Request::Clock;

  // Pages for a model and options: as EngineOptions::kv_tokens says. Fails with memory_plan.
  struct Room {
    std::int64_t global_pages = 0, local_pages = 0;
    std::uint64_t bytes = 0;
  };
  static Result<Room> plan_room(const nn::KvShape& shape, const EngineOptions& options,
                                std::uint64_t bytes_available);

  // `model`, `tokenizer` and `pool` must outlive it. Fails with memory_plan.
  static Result<std::unique_ptr<Stepper>> create(const llama4::Model& model,
                                                 const text::Tokenizer& tokenizer, ThreadPool& pool,
                                                 const EngineOptions& options, DType kv_dtype,
                                                 const PrefixStoreOptions* store = nullptr);
  // create() is the way.
  Stepper(const llama4::Model& model, const text::Tokenizer& tokenizer, ThreadPool& pool,
          const EngineOptions& options, const Room& room, nn::KvPool kv);
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;
  ~Stepper();
  // Before the first request. Fails as PrefixStore::open.
  Result<void> keep_on_disk(const PrefixStoreOptions& options);

  // What submit() can say at once, and the hashes of the request's pictures, which take their time: those of pixels
  // that are in `known` are taken from there, others are put there. Reads constant parts only, so any thread may ask.
  using KnownHashes = std::map<const void*, std::uint64_t>;
  [[nodiscard]] Result<std::vector<std::uint64_t>> check(const Request& request,
                                                         KnownHashes& known) const;
  [[nodiscard]] Result<std::vector<std::uint64_t>> check(const Request& request) const {
    KnownHashes none;
    return check(request, none);
  }

  // A request with what check() made of it, under a number of its own; the queue's length is the caller's business.
  // The listener is shared with whoever submitted it.
  void add(std::uint64_t id, Request request, std::vector<std::uint64_t> picture_hashes,
           std::shared_ptr<Listener> listener, Clock::time_point arrived);
  // Ends a request: its listener hears a cancelled answer, or `error` where one is given.
  void cancel(std::uint64_t id, std::optional<Error> error = {});
  // One pass through the model, or through its eyes, or both. Nothing when idle.
  void step(Clock::time_point now);

  [[nodiscard]] bool idle() const { return jobs_.empty() && !saving(); }
  // Prefixes are on their way to the disk.
  [[nodiscard]] bool saving() const { return disk_ && disk_->saving(); }
  [[nodiscard]] std::int64_t present() const { return std::ssize(jobs_); }
  // Bytes of the pictures of requests that are present, but for those whose pixels are in `counted`, which get them.
  [[nodiscard]] std::uint64_t pixel_bytes(std::set<const void*>& counted) const;
  [[nodiscard]] std::vector<std::uint64_t> ids() const;
  // All but heartbeat, queue limits and draining.
  [[nodiscard]] EngineState state() const;
  [[nodiscard]] const Scheduler& scheduler() const { return scheduler_; }

 private:
  struct Job;
  struct Step;  // of one job in one step

  void submit(Arrival arrival, Clock::time_point arrived);
  void move_prefixes();
  void look_at_pictures();
  void see_tiles(Job& job, std::size_t picture);
  [[nodiscard]] std::int64_t readable(const Job& job) const;
  void propose();
  void run(const Plan& plan);
  [[nodiscard]] Tensor forward(std::span<Step> steps);
  void pool(std::span<const Step> steps, const Tensor& hidden_nD, std::int64_t row) const;
  void add_features(nn::CachedBatch& batch, std::span<const Step> steps);
  void write(Step& step, const Tensor& logits) const;
  void deliver(Step& step);
  void finish(std::uint64_t id, Result<Answer> answer);
  [[nodiscard]] Answer closed(Job& job);
  [[nodiscard]] std::int64_t now_ms(Clock::time_point at) const;

  const llama4::Model* model_;
  const text::Tokenizer* tokenizer_;
  EngineOptions options_;
  Context ctx_;
  nn::KvPool kv_;
  HashKey hash_key_;
  Scheduler scheduler_;
  std::optional<DiskPrefixes> disk_;
  std::map<std::uint64_t, Arrival>
      restoring_;  // not with the scheduler yet: their prefixes come from disk
  PictureCache pictures_;
  DraftMeter meter_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Job>> jobs_;
  Clock::time_point start_, now_;
  EngineState counts_;
  double service_ms_ = 0;  // of a request, from admission to its end: a moving average
};

}  // namespace herd::engine
