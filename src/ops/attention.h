// Attention of query rows over blocks of keys and values.  T rows, H query heads, G key/value heads, d head size.
#pragma once

#include <span>

#include "ops/context.h"

namespace herd {

// What each query row may see: blocks of 64 positions, and how many of them (kernels/table.h).
struct Keys {
  std::span<const AttendRow> rows;  // [T]
  DType dtype = DType::f32;
  std::int64_t heads = 0;  // G
};

// softmax(scale q k^T) v; query head n reads key/value head n / (H / G).   q_THd [T, H, d] -> [T, H, d]
Tensor attend(Context& ctx, const Tensor& q_THd, const Keys& keys, float scale);

// Writes rows of keys or values into their cache blocks: row t into block_T[t] at within_T[t].
void store_kv(Context& ctx, const Tensor& x_TGd, std::span<void* const> block_T,
              std::span<const std::int32_t> within_T, DType dtype);

// Keys of whole sequences that lie in the batch itself, one after another, `length` rows each; every row sees all of
// its
// own sequence (the vision encoder's tiles).   k_TGd, v_TGd [T, G, d], T a multiple of length
Keys keys_within(Context& ctx, const Tensor& k_TGd, const Tensor& v_TGd, std::int64_t length);

}  // namespace herd
