// The rows of one forward pass: pieces of one or many sequences, each continuing its own cache. The model sees rows
// only; whose they are is this file's business, and the one place where serving and training differ.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "nn/adapter.h"
#include "nn/kv_cache.h"
#include "ops/attention.h"

namespace herd::nn {

class Batch {
 public:
  Batch() = default;
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  virtual ~Batch() = default;

  // The last added row's logits are wanted; without any such call, none are computed.
  void want_last();
  void want_all();
  void want(std::int32_t row) { wanted_.push_back(row); }

  // Vectors that take the place of token embeddings (pictures).   features [n, D], row [n] of this batch
  void set_features(Tensor features_FD, std::vector<std::int32_t> row);

  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(tokens_.size()); }
  [[nodiscard]] std::span<const std::int32_t> tokens() const { return tokens_; }
  [[nodiscard]] std::span<const std::int64_t> positions() const { return positions_; }
  [[nodiscard]] std::span<const std::int32_t> wanted() const { return wanted_; }
  [[nodiscard]] const Tensor& features() const { return features_FD_; }
  [[nodiscard]] std::span<const std::int32_t> feature_rows() const { return feature_rows_; }

  // Adapters that rows bring with them; not of training, which records what ops do.
  [[nodiscard]] const RowAdapters& adapters() const { return adapters_; }

  // Gives every row its view of its own sequence, this layer's new keys and values included.
  //   k_TGd, v_TGd [T, G, d]
  virtual Keys keys(Context& ctx, std::size_t layer, const Tensor& k_TGd,
                    const Tensor& v_TGd) const = 0;

  // After the forward: caches, where there are any, have grown by their rows.
  virtual void commit() const {}

 protected:
  // Rows of one sequence, from position `start`.
  void append(std::span<const std::int32_t> tokens, std::int64_t start,
              const AdapterSet* adapters = nullptr);

 private:
  std::vector<std::int32_t> tokens_;
  std::vector<std::int64_t> positions_;
  std::vector<std::int32_t> wanted_;
  Tensor features_FD_;
  std::vector<std::int32_t> feature_rows_;
  RowAdapters adapters_;
};

// Serving: each piece continues a sequence whose earlier keys and values are in its cache.
class CachedBatch : public Batch {
 public:
  // Appends tokens that continue the sequence in `cache` (which must outlive the batch). The piece must not cross a
  // chunk boundary of any local layer: pieces_of() in engine/session splits prompts accordingly.
  // `adapters`: what its rows bring, outliving the batch too.
  void add(KvTables& cache, std::span<const std::int32_t> tokens,
           const AdapterSet* adapters = nullptr);

  Keys keys(Context& ctx, std::size_t layer, const Tensor& k_TGd,
            const Tensor& v_TGd) const override;
  void commit() const override;

 private:
  struct Piece {
    KvTables* cache = nullptr;
    std::int64_t start = 0;  // position of its first row
    std::int64_t count = 0;
  };
  std::vector<Piece> pieces_;
};

// Training: whole documents side by side, none seeing another; nothing is cached.
class PackedBatch : public Batch {
 public:
  // `chunk` as in KvShape: positions each layer sees at most, 0 for all.
  explicit PackedBatch(std::vector<std::int64_t> chunk) : chunk_(std::move(chunk)) {}

  void add(std::span<const std::int32_t> document);

  Keys keys(Context& ctx, std::size_t layer, const Tensor& k_TGd,
            const Tensor& v_TGd) const override;

 private:
  std::vector<std::int64_t> chunk_;  // [layers]
  std::vector<std::int64_t> begin_;  // first row of each document
  mutable std::map<std::int64_t, std::vector<AttendSegment>>
      segments_;  // by chunk, made when first asked for
};

}  // namespace herd::nn
