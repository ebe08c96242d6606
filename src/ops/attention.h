// Attention of query rows over blocks of keys and values.  T rows, H query heads, G key/value heads, d head size.
#pragma once

#include <span>

#include "ops/context.h"

namespace herd {

// What each query row may see: blocks of 64 positions, and how many of them (kernels/table.h).
struct Keys {
  std::span<const AttendRow> rows;  // [T]; empty where the batch's own keys are read as they lie
  DType dtype = DType::f32;
  std::int64_t heads = 0;  // G

  // Where keys and values came from, if all of them lie in this batch: what products in bfloat16 and the way back need.
  Tensor k_TGd = {}, v_TGd = {};
  std::span<const AttendSegment> segments = {};
  bool causal = false;
};

// softmax(scale q k^T) v; query head n reads key/value head n / (H / G).   q_THd [T, H, d] -> [T, H, d]
Tensor attend(Context& ctx, const Tensor& q_THd, const Keys& keys, float scale);

// Writes rows of keys or values into their cache blocks: row t into block_T[t] at within_T[t].
void store_kv(Context& ctx, KvPart part, const Tensor& x_TGd, std::span<void* const> block_T,
              std::span<const std::int32_t> within_T, DType dtype);

// Keys of whole sequences that lie in the batch itself, one after another: segments cover all rows in order. A row sees
// its whole segment (the tiles of a picture), or what comes up to itself (training). `segments` must live as long as
// the tape where there is one.   k_TGd, v_TGd [T, G, d]
Keys keys_within(const Tensor& k_TGd, const Tensor& v_TGd, std::span<const AttendSegment> segments,
                 bool causal);

// Segments of `length` rows each, in the context's arena.   rows a multiple of length
std::span<const AttendSegment> equal_segments(Context& ctx, std::int64_t rows, std::int64_t length);

}  // namespace herd
