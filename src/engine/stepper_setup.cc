// The stepper before its first request: how much room keys and values get, in memory and on disk.
#include <algorithm>
#include <utility>

#include "base/memory.h"
#include "engine/stepper_job.h"

namespace herd::engine {
namespace {

KvLayout layout_of(const nn::KvShape& shape) {
  return {.page = keys_per_block, .chunk = nn::KvPool::chunk_of(shape)};
}

SchedulerOptions scheduler_options(const nn::KvShape& shape, const EngineOptions& options,
                                   const Stepper::Room& room) {
  SchedulerOptions out;
  out.sequences = options.sequences;
  out.step_tokens = std::max(options.step_tokens, options.sequences + 1);
  out.queue = options.queue;
  out.context = options.context;
  out.layout = layout_of(shape);
  out.global_pages = room.global_pages;
  out.local_pages = room.local_pages;
  out.prefix_cache = options.prefix_cache;
  return out;
}

}  // namespace

Result<Stepper::Room> Stepper::plan_room(const nn::KvShape& shape, const EngineOptions& options,
                                         std::uint64_t bytes_available) {
  const KvLayout layout = layout_of(shape);
  const std::uint64_t global_bytes = nn::KvPool::global_page_bytes(shape);
  const std::uint64_t local_bytes = nn::KvPool::local_page_bytes(shape);
  auto room_for = [&](std::int64_t tokens) {
    // A sequence's last page is rarely full; local layers keep one chunk of each, and as much again for prefixes.
    Room room;
    room.global_pages = std::max(layout.global_pages(options.context),
                                 layout.global_pages(tokens) + options.sequences);
    const std::int64_t each = layout.local_pages(options.context);
    room.local_pages = std::clamp(2 * options.sequences * each, each,
                                  std::max(each, layout.chunk == 0 ? 0 : room.global_pages));
    room.bytes = static_cast<std::uint64_t>(room.global_pages) * global_bytes +
                 static_cast<std::uint64_t>(room.local_pages) * local_bytes;
    return room;
  };
  if (options.kv_tokens > 0) return room_for(options.kv_tokens);
  std::int64_t tokens = options.sequences * options.context;
  while (tokens > options.context && room_for(tokens).bytes > bytes_available / 2)
    tokens -= std::max<std::int64_t>(1, tokens / 8);
  const Room room = room_for(std::max(tokens, options.context));
  if (room.bytes > bytes_available)
    return fail_with_hint(
        Code::memory_plan,
        fmt::format("keys and values of one request of {} tokens take {}, {} are free",
                    options.context, human_bytes(room.bytes), human_bytes(bytes_available)),
        "a smaller --context");
  return room;
}

Result<std::unique_ptr<Stepper>> Stepper::create(const llama4::Model& model,
                                                 const text::Tokenizer& tokenizer, ThreadPool& pool,
                                                 const EngineOptions& options, DType kv_dtype,
                                                 const PrefixStoreOptions* store) {
  const nn::KvShape shape = model.kv_shape(kv_dtype);
  HERD_TRY(const Room room, plan_room(shape, options, memory_limits().available));
  HERD_TRY(nn::KvPool kv, nn::KvPool::create(shape, room.global_pages, room.local_pages));
  auto stepper = std::make_unique<Stepper>(model, tokenizer, pool, options, room, std::move(kv));
  if (store != nullptr && options.prefix_cache) HERD_TRY_VOID(stepper->keep_on_disk(*store));
  return stepper;
}

Result<void> Stepper::keep_on_disk(const PrefixStoreOptions& options) {
  const KvLayout layout = layout_of(kv_.shape());
  const std::uint64_t page_bytes = nn::KvPool::global_page_bytes(kv_.shape());
  // Without pages that all layers share, or without global layers, there is nothing to be stored.
  if (page_bytes == 0 || (layout.chunk > 0 && !layout.shares_local())) return {};
  HERD_TRY(std::unique_ptr<PrefixStore> store, PrefixStore::open(options, page_bytes));
  hash_key_ = store->secret();  // of pictures: the same after a restart
  disk_.emplace(std::move(store), kv_, scheduler_.cache());
  return {};
}

Stepper::Stepper(const llama4::Model& model, const text::Tokenizer& tokenizer, ThreadPool& pool,
                 const EngineOptions& options, const Room& room, nn::KvPool kv)
    : model_(&model),
      tokenizer_(&tokenizer),
      options_(options),
      ctx_(cpu_kernels(), pool),
      kv_(std::move(kv)),
      hash_key_(random_hash_key()),
      scheduler_(scheduler_options(kv_.shape(), options, room), {.words = random_hash_key()}),
      pictures_(static_cast<std::uint64_t>(options.picture_cache_mib) << 20),
      start_(Clock::now()),
      now_(start_) {}

}  // namespace herd::engine
