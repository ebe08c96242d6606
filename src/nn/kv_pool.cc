#include "nn/kv_pool.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "kernels/kv_block.h"

namespace herd::nn {
namespace {

std::uint64_t page_bytes(const KvShape& shape, bool local) {
  std::uint64_t bytes = 0;
  for (const std::int64_t chunk : shape.chunk)
    if ((chunk > 0) == local) bytes += 2 * shape.bytes_per_block();  // keys and values
  return bytes;
}

}  // namespace

std::uint64_t KvPool::global_page_bytes(const KvShape& shape) { return page_bytes(shape, false); }
std::uint64_t KvPool::local_page_bytes(const KvShape& shape) { return page_bytes(shape, true); }

std::int64_t KvPool::chunk_of(const KvShape& shape) {
  std::int64_t found = 0;
  for (const std::int64_t chunk : shape.chunk) {
    HERD_CHECK(chunk == 0 || found == 0 || chunk == found, "chunks of {} and {}", found, chunk);
    if (chunk > 0) found = chunk;
  }
  return found;
}

Result<KvPool> KvPool::create(KvShape shape, std::int64_t global_pages, std::int64_t local_pages) {
  HERD_CHECK(can_keep_kv(shape.dtype, shape.head_size), "a cache of {} in {}", shape.head_size,
             row_of(shape.dtype).name);
  KvPool pool;
  pool.global_pages_ = global_pages;
  pool.local_pages_ = local_pages;
  pool.global_page_bytes_ = global_page_bytes(shape);
  pool.local_page_bytes_ = local_page_bytes(shape);
  std::uint64_t global_offset = 0, local_offset = 0;
  for (const std::int64_t chunk : shape.chunk) {
    std::uint64_t& next = chunk > 0 ? local_offset : global_offset;
    pool.offset_.push_back(next);
    next += 2 * shape.bytes_per_block();
  }
  pool.memory_bytes_ = static_cast<std::uint64_t>(global_pages) * pool.global_page_bytes_ +
                       static_cast<std::uint64_t>(local_pages) * pool.local_page_bytes_;
  if (pool.memory_bytes_ > 0) {
    void* memory = ::mmap(nullptr, pool.memory_bytes_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
      return fail(Code::memory_plan, "cannot reserve {} bytes for keys and values: {}",
                  pool.memory_bytes_, std::strerror(errno));
    pool.memory_ = memory;
  }
  pool.shape_ = std::move(shape);
  return pool;
}

KvPool::KvPool(KvPool&& other) noexcept
    : shape_(std::move(other.shape_)),
      offset_(std::move(other.offset_)),
      global_pages_(other.global_pages_),
      local_pages_(other.local_pages_),
      global_page_bytes_(other.global_page_bytes_),
      local_page_bytes_(other.local_page_bytes_),
      memory_(std::exchange(other.memory_, nullptr)),
      memory_bytes_(other.memory_bytes_) {}

KvPool::~KvPool() {
  if (memory_ != nullptr) ::munmap(memory_, memory_bytes_);
}

std::span<std::byte> KvPool::global_page(std::int32_t page) const {
  HERD_CHECK(page >= 0 && page < global_pages_, "page {} of {}", page, global_pages_);
  return {static_cast<std::byte*>(memory_) + static_cast<std::uint64_t>(page) * global_page_bytes_,
          global_page_bytes_};
}

void* KvPool::keys(std::size_t layer, std::int32_t page) const {
  const bool local = shape_.chunk[layer] > 0;
  HERD_CHECK(page >= 0 && page < (local ? local_pages_ : global_pages_), "page {}", page);
  const auto number = static_cast<std::uint64_t>(page);
  const std::uint64_t at = local ? static_cast<std::uint64_t>(global_pages_) * global_page_bytes_ +
                                       number * local_page_bytes_
                                 : number * global_page_bytes_;
  return static_cast<std::byte*>(memory_) + at + offset_[layer];
}

void* KvPool::values(std::size_t layer, std::int32_t page) const {
  return static_cast<std::byte*>(keys(layer, page)) + shape_.bytes_per_block();
}

PagedKvCache::PagedKvCache(const KvPool& pool, std::int64_t context) : pool_(&pool) {
  shape_ = pool.shape();
  context_ = context;
  layers_.resize(shape_.chunk.size());
}

void PagedKvCache::set_pages(std::span<const std::int32_t> global,
                             std::span<const std::int32_t> local, std::int64_t length) {
  HERD_CHECK(length >= 0 && length < context_, "length {} of {}", length, context_);
  set(global_, global, false);
  set(local_, local, true);
  length_ = length;
}

void PagedKvCache::set(std::vector<std::int32_t>& held, std::span<const std::int32_t> pages,
                       bool local) {
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    if ((shape_.chunk[layer] > 0) != local) continue;
    layers_[layer].keys.resize(pages.size());
    layers_[layer].values.resize(pages.size());
  }
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (i < held.size() && held[i] == pages[i]) continue;  // mostly nothing has changed
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      if ((shape_.chunk[layer] > 0) != local) continue;
      layers_[layer].keys[i] = pool_->keys(layer, pages[i]);
      layers_[layer].values[i] = pool_->values(layer, pages[i]);
    }
  }
  held.assign(pages.begin(), pages.end());
}

}  // namespace herd::nn
