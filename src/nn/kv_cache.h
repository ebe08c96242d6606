// Keys and values of one sequence. A local layer sees its own chunk only, so it keeps at most one chunk and starts over
// at every multiple of it; a global layer keeps everything. Memory is reserved for the whole context and becomes real
// as it is written.   G key/value heads, d head size; blocks of 64 positions: keys [G, d, 64], values [G, 64, d].
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernels/table.h"

namespace herd::nn {

struct KvShape {
  std::vector<std::int64_t> chunk;  // [layers] positions a layer sees at most; 0 = all
  std::int64_t heads = 0;           // G
  std::int64_t head_size = 0;       // d
  DType dtype = DType::bf16;  // f32, bf16, or rotated integers: q8_0, q4_0 (kernels/kv_block.h)

  // Bytes of a full cache for `context` positions.
  [[nodiscard]] std::uint64_t bytes(std::int64_t context) const;
  // Positions layer keeps at most, for a context.
  [[nodiscard]] std::int64_t kept(std::size_t layer, std::int64_t context) const;
  [[nodiscard]] std::uint64_t bytes_per_block() const;
};

// Where the keys and values of one sequence lie: tables of blocks for each layer, and how many positions are written.
// Whose memory the blocks are is for those who derive from it: KvCache, or PagedKvCache of nn/kv_pool.h.
class KvTables {
 public:
  [[nodiscard]] const KvShape& shape() const { return shape_; }
  [[nodiscard]] std::int64_t context() const { return context_; }

  // Positions written so far; the next token's position. Set by whoever ran the tokens through the model; may be set
  // back to forget the tail only as far as no local layer has started a new chunk since: see can_rewind_to.
  [[nodiscard]] std::int64_t length() const { return length_; }
  void set_length(std::int64_t length);
  [[nodiscard]] bool can_rewind_to(std::int64_t length) const;

  // Where layer keeps position: its index within the blocks below.
  [[nodiscard]] std::int64_t index(std::size_t layer, std::int64_t position) const {
    const std::int64_t chunk = shape_.chunk[layer];
    return chunk == 0 ? position : position % chunk;
  }
  // Tables of the layer's blocks, for positions of the current chunk (local) or all (global).
  [[nodiscard]] std::span<void* const> key_blocks(std::size_t layer) const {
    return layers_[layer].keys;
  }
  [[nodiscard]] std::span<void* const> value_blocks(std::size_t layer) const {
    return layers_[layer].values;
  }

 protected:
  struct Layer {
    std::vector<void*> keys, values;
  };
  KvTables() = default;
  KvTables(KvTables&&) = default;
  KvTables& operator=(KvTables&&) = default;
  ~KvTables() = default;

  KvShape shape_;
  std::int64_t context_ = 0;
  std::int64_t length_ = 0;
  std::vector<Layer> layers_;
};

// A cache with memory of its own for the whole context.
class KvCache : public KvTables {
 public:
  // Reserves address space for `context` positions. Fails with memory_plan when the system refuses even that.
  static Result<KvCache> create(KvShape shape, std::int64_t context);

  KvCache(KvCache&& other) noexcept;
  KvCache& operator=(KvCache&& other) noexcept;
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;
  ~KvCache();

  // Forgets everything and gives the memory back.
  void clear();

 private:
  KvCache() = default;

  void* memory_ = nullptr;
  std::uint64_t memory_bytes_ = 0;
};

}  // namespace herd::nn
