#include "nn/batch.h"

#include <algorithm>

#include "base/check.h"

namespace herd::nn {

void CachedBatch::add(KvTables& cache, std::span<const std::int32_t> tokens,
                      const AdapterSet* adapters) {
  const std::int64_t start = cache.length();
  const auto count = static_cast<std::int64_t>(tokens.size());
  HERD_CHECK(count > 0 && start + count <= cache.context(), "{} tokens at {} of a context of {}",
             count, start, cache.context());
  for (const std::int64_t chunk : cache.shape().chunk)
    HERD_CHECK(chunk == 0 || start / chunk == (start + count - 1) / chunk,
               "tokens {}..{} cross a chunk of {}", start, start + count, chunk);
  for (const Piece& piece : pieces_) HERD_CHECK(piece.cache != &cache, "a sequence twice");
  pieces_.push_back({&cache, start, count});
  append(tokens, start, adapters);
}

void Batch::append(std::span<const std::int32_t> tokens, std::int64_t start,
                   const AdapterSet* adapters) {
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  for (std::size_t i = 0; i < tokens.size(); ++i)
    positions_.push_back(start + static_cast<std::int64_t>(i));
  adapters_.add(adapters, static_cast<std::int64_t>(tokens.size()));
}

void Batch::want_last() { wanted_.push_back(static_cast<std::int32_t>(rows() - 1)); }

void Batch::want_all() {
  wanted_.clear();
  for (std::int32_t row = 0; row < rows(); ++row) wanted_.push_back(row);
}

void Batch::set_features(Tensor features_FD, std::vector<std::int32_t> row) {
  HERD_CHECK(features_FD.rows() == static_cast<std::int64_t>(row.size()), "{} features, {} rows",
             features_FD.rows(), row.size());
  features_FD_ = features_FD;
  feature_rows_ = std::move(row);
}

Keys CachedBatch::keys(Context& ctx, std::size_t layer, const Tensor& k_TGd,
                       const Tensor& v_TGd) const {
  const std::span key_block = ctx.array<void*>(rows());
  const std::span value_block = ctx.array<void*>(rows());
  const std::span within = ctx.array<std::int32_t>(rows());
  const std::span views = ctx.array<AttendRow>(rows());
  std::size_t row = 0;
  for (const Piece& piece : pieces_) {
    const std::span key_table = piece.cache->key_blocks(layer);
    const std::span value_table = piece.cache->value_blocks(layer);
    for (std::int64_t i = 0; i < piece.count; ++i, ++row) {
      const std::int64_t index = piece.cache->index(layer, piece.start + i);
      const auto block = static_cast<std::size_t>(index / keys_per_block);
      key_block[row] = key_table[block];
      value_block[row] = value_table[block];
      within[row] = static_cast<std::int32_t>(index % keys_per_block);
      views[row] = {.key_blocks = key_table.data(),
                    .value_blocks = value_table.data(),
                    .first = 0,
                    .count = index + 1};
    }
  }
  const KvShape& shape = pieces_.front().cache->shape();
  store_kv(ctx, KvPart::keys, k_TGd, key_block, within, shape.dtype);
  store_kv(ctx, KvPart::values, v_TGd, value_block, within, shape.dtype);
  return {.rows = views, .dtype = shape.dtype, .heads = shape.heads};
}

void CachedBatch::commit() const {
  for (const Piece& piece : pieces_) piece.cache->set_length(piece.start + piece.count);
}

void PackedBatch::add(std::span<const std::int32_t> document) {
  HERD_CHECK(!document.empty() && segments_.empty(), "an empty document, or one after the forward");
  begin_.push_back(rows());
  append(document, 0);
}

Keys PackedBatch::keys(Context& /*ctx*/, std::size_t layer, const Tensor& k_TGd,
                       const Tensor& v_TGd) const {
  const std::int64_t chunk = chunk_[layer];
  std::vector<AttendSegment>& segments = segments_[chunk];
  if (segments.empty())
    for (std::size_t i = 0; i < begin_.size(); ++i) {
      const std::int64_t end = i + 1 < begin_.size() ? begin_[i + 1] : rows();
      const std::int64_t step = chunk == 0 ? end - begin_[i] : chunk;
      for (std::int64_t row = begin_[i]; row < end; row += step)
        segments.push_back({row, std::min(end, row + step)});
    }
  return keys_within(k_TGd, v_TGd, segments, true);
}

}  // namespace herd::nn
