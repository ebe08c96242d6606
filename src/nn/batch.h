// The rows of one forward pass: pieces of one or many sequences, each continuing its own cache. The model sees rows
// only; whose they are is this file's business, and the one place where serving and training differ.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/kv_cache.h"
#include "ops/attention.h"

namespace herd::nn {

class Batch {
 public:
  // Appends tokens that continue the sequence in `cache` (which must outlive the batch). The piece must not cross a
  // chunk boundary of any local layer: pieces_of() in engine/session splits prompts accordingly.
  void add(KvCache& cache, std::span<const std::int32_t> tokens);

  // The last added row's logits are wanted; without any such call, none are computed.
  void want_last();
  void want_all();

  // Vectors that take the place of token embeddings (pictures).   features [n, D], row [n] of this batch
  void set_features(Tensor features_FD, std::vector<std::int32_t> row);

  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(tokens_.size()); }
  [[nodiscard]] std::span<const std::int32_t> tokens() const { return tokens_; }
  [[nodiscard]] std::span<const std::int64_t> positions() const { return positions_; }
  [[nodiscard]] std::span<const std::int32_t> wanted() const { return wanted_; }
  [[nodiscard]] const Tensor& features() const { return features_FD_; }
  [[nodiscard]] std::span<const std::int32_t> feature_rows() const { return feature_rows_; }

  // Stores this layer's new keys and values and gives every row its view of its own sequence.
  //   k_TGd, v_TGd [T, G, d]
  Keys keys(Context& ctx, std::size_t layer, const Tensor& k_TGd, const Tensor& v_TGd) const;

  // After the forward: the caches have grown by their rows.
  void commit() const;

 private:
  struct Piece {
    KvCache* cache = nullptr;
    std::int64_t start = 0;  // position of its first row
    std::int64_t count = 0;
  };
  std::vector<Piece> pieces_;
  std::vector<std::int32_t> tokens_;
  std::vector<std::int64_t> positions_;
  std::vector<std::int32_t> wanted_;
  Tensor features_FD_;
  std::vector<std::int32_t> feature_rows_;
};

}  // namespace herd::nn
