#include "nn/kv_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "kernels/kv_block.h"

namespace herd::nn {
namespace {

std::uint64_t blocks_for(std::int64_t positions) {
  return static_cast<std::uint64_t>((positions + keys_per_block - 1) / keys_per_block);
}

}  // namespace

std::int64_t KvShape::kept(std::size_t layer, std::int64_t context) const {
  return chunk[layer] == 0 ? context : std::min(chunk[layer], context);
}

std::uint64_t KvShape::bytes_per_block() const {
  return static_cast<std::uint64_t>(bytes_of(dtype, heads * keys_per_block * head_size));
}

std::uint64_t KvShape::bytes(std::int64_t context) const {
  std::uint64_t blocks = 0;
  for (std::size_t layer = 0; layer < chunk.size(); ++layer)
    blocks += 2 * blocks_for(kept(layer, context));  // keys and values
  return blocks * bytes_per_block();
}

Result<KvCache> KvCache::create(KvShape shape, std::int64_t context) {
  HERD_CHECK(context > 0 && shape.heads > 0 && shape.head_size > 0, "context {}, {} heads of {}",
             context, shape.heads, shape.head_size);
  HERD_CHECK(can_keep_kv(shape.dtype, shape.head_size), "a cache of {} in {}", shape.head_size,
             row_of(shape.dtype).name);
  KvCache cache;
  cache.context_ = context;
  cache.memory_bytes_ = shape.bytes(context);
  // NORESERVE: only what is written counts, so a ten-million-token context costs nothing until it is used.
  void* memory = ::mmap(nullptr, cache.memory_bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return fail(Code::memory_plan,
                "cannot reserve {} bytes for the keys and values of {} tokens: {}",
                cache.memory_bytes_, context, std::strerror(errno));
  cache.memory_ = memory;

  auto* next = static_cast<std::byte*>(memory);
  const std::uint64_t block_bytes = shape.bytes_per_block();
  cache.layers_.resize(shape.chunk.size());
  for (std::size_t layer = 0; layer < cache.layers_.size(); ++layer) {
    const std::uint64_t blocks = blocks_for(shape.kept(layer, context));
    for (std::vector<void*>* table : {&cache.layers_[layer].keys, &cache.layers_[layer].values})
      for (std::uint64_t block = 0; block < blocks; ++block, next += block_bytes)
        table->push_back(next);
  }
  cache.shape_ = std::move(shape);
  return cache;
}

KvCache::KvCache(KvCache&& other) noexcept { *this = std::move(other); }

KvCache& KvCache::operator=(KvCache&& other) noexcept {
  std::swap(shape_, other.shape_);
  std::swap(context_, other.context_);
  std::swap(length_, other.length_);
  std::swap(layers_, other.layers_);
  std::swap(memory_, other.memory_);
  std::swap(memory_bytes_, other.memory_bytes_);
  return *this;
}

KvCache::~KvCache() {
  if (memory_ != nullptr) ::munmap(memory_, memory_bytes_);
}

void KvTables::set_length(std::int64_t length) {
  HERD_CHECK(length >= 0 && length <= context_, "length {} of {}", length, context_);
  HERD_CHECK(length >= length_ || can_rewind_to(length), "cannot go back from {} to {}", length_,
             length);
  length_ = length;
}

bool KvTables::can_rewind_to(std::int64_t length) const {
  if (length > length_) return false;
  // A layer's slots are overwritten from the start of the newest chunk on. At its boundary nothing older is needed.
  return std::ranges::all_of(shape_.chunk, [&](std::int64_t chunk) {
    return chunk == 0 || length % chunk == 0 || length / chunk == (length_ - 1) / chunk;
  });
}

void KvCache::clear() {
  length_ = 0;
  ::madvise(memory_, memory_bytes_, MADV_DONTNEED);
}

}  // namespace herd::nn
