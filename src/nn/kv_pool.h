// Memory for keys and values of many sequences, cut into pages: a page holds 64 positions of all global layers, or of
// all local ones. Who holds which page is decided elsewhere (engine/pages.h); this knows where it lies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/kv_cache.h"

namespace herd::nn {

class KvPool {
 public:
  // Reserves address space; memory becomes real as it is written. All local layers of the shape must have one chunk.
  // Fails with memory_plan when the system refuses.
  static Result<KvPool> create(KvShape shape, std::int64_t global_pages, std::int64_t local_pages);

  KvPool(KvPool&& other) noexcept;
  KvPool& operator=(KvPool&&) = delete;
  ~KvPool();

  [[nodiscard]] const KvShape& shape() const { return shape_; }
  // Bytes of one page of the global layers, and of one of the local layers; either may be 0.
  [[nodiscard]] static std::uint64_t global_page_bytes(const KvShape& shape);
  [[nodiscard]] static std::uint64_t local_page_bytes(const KvShape& shape);
  // Chunk of the local layers; 0 where there are none.
  [[nodiscard]] static std::int64_t chunk_of(const KvShape& shape);

  // All of a page of the global layers.
  [[nodiscard]] std::span<std::byte> global_page(std::int32_t page) const;
  // The block of a layer in a page of its kind: keys [G, d, 64], values [G, 64, d].
  [[nodiscard]] void* keys(std::size_t layer, std::int32_t page) const;
  [[nodiscard]] void* values(std::size_t layer, std::int32_t page) const;

 private:
  KvPool() = default;

  KvShape shape_;
  std::vector<std::uint64_t> offset_;  // [layers] of its keys within a page of its kind, bytes
  std::int64_t global_pages_ = 0, local_pages_ = 0;
  std::uint64_t global_page_bytes_ = 0, local_page_bytes_ = 0;
  void* memory_ = nullptr;  // global pages, then local ones
  std::uint64_t memory_bytes_ = 0;
};

// The cache of one sequence whose blocks are pages of a pool.
class PagedKvCache : public KvTables {
 public:
  // `pool` must outlive it.
  PagedKvCache(const KvPool& pool, std::int64_t context);

  // From now on `length` positions are there: in these pages of the global layers, from position 0, and of the local
  // layers, from the start of the chunk of the position that comes next.
  void set_pages(std::span<const std::int32_t> global, std::span<const std::int32_t> local,
                 std::int64_t length);

 private:
  void set(std::vector<std::int32_t>& held, std::span<const std::int32_t> pages, bool local);

  const KvPool* pool_;
  std::vector<std::int32_t> global_, local_;
};

}  // namespace herd::nn
