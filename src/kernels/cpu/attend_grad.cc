// The way back through attention. Work is one key/value head of one segment: its thread goes through the queries in
// tiles, holds a tile's weights against all keys, and adds to the keys' and values' gradients, which are its alone.
// Five products a tile (Dao et al. 2022, appendix B); nothing was saved by the forward pass.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attend_grad.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/cpu/bfloat16_attend.h"
#include "kernels/cpu/bfloat16_product.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cpu/product-inl.h"
#include "kernels/cpu/softmax-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Few, because with causal attention a tile meets every key up to its last query's: what later queries see is computed
// for the earlier ones and thrown away.
constexpr std::int64_t queries_per_tile = 24;

// x [rows, d], rows `stride` apart -> [d, columns], the rest of the columns zero.
void transpose_head(const float* x, std::int64_t rows, std::int64_t d, std::int64_t stride,
                    std::int64_t columns, float* out) {
  for (std::int64_t i = 0; i < d; ++i) {
    for (std::int64_t t = 0; t < rows; ++t) out[i * columns + t] = x[t * stride + i];
    std::fill(out + i * columns + rows, out + (i + 1) * columns, 0.0f);
  }
}

// dp becomes ds = scale p (dp - sum of p dp) where p counts, 0 elsewhere.
void score_gradient(const float* p, float* dp, std::int64_t seen, std::int64_t columns,
                    float scale) {
  const hn::ScalableTag<float> f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  const std::int64_t used = (seen + lanes - 1) / lanes * lanes;
  auto dot = hn::Zero(f);
  for (std::int64_t j = 0; j < used; j += lanes)
    dot = hn::MulAdd(hn::LoadU(f, p + j), hn::LoadU(f, dp + j), dot);
  const auto mean = hn::Set(f, hn::GetLane(hn::SumOfLanes(f, dot)));
  const auto factor = hn::Set(f, scale);
  for (std::int64_t j = 0; j < used; j += lanes) {
    const auto centred = hn::Sub(hn::LoadU(f, dp + j), mean);
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(f, p + j), factor), centred), f, dp + j);
  }
  std::fill(dp + used, dp + columns, 0.0f);
}

void clear_head(float* x, std::int64_t rows, std::int64_t d, std::int64_t stride) {
  for (std::int64_t t = 0; t < rows; ++t) std::fill_n(x + t * stride, d, 0.0f);
}

// What one key/value head of a segment needs: keys and values across [d, pitch], and of a tile's rows the weights and
// their gradients [rows, pitch], queries and outputs' gradients [rows, d].
struct HeadRoom {
  std::int64_t pitch;
  float *keys_dL, *values_dL, *p, *dp, *q, *d_out;
  std::uint32_t* pairs;  // AttendGradPairs' words, if wanted; then keys and values have no floats

  HeadRoom(std::int64_t length, std::int64_t rows, std::int64_t d, bool in_bfloat16)
      : pitch(spread(length)) {
    const std::int64_t across = in_bfloat16 ? 0 : d * pitch;
    const std::int64_t words = in_bfloat16 ? AttendGradPairs::words(length, rows, d) : 0;
    keys_dL =
        scratch(static_cast<std::size_t>(2 * across + 2 * rows * pitch + 2 * rows * d + words));
    values_dL = keys_dL + across;
    p = values_dL + across;
    dp = p + rows * pitch;
    q = dp + rows * pitch;
    d_out = q + rows * d;
    pairs = static_cast<std::uint32_t*>(static_cast<void*>(d_out + rows * d));
  }
};

// The products of a tile, rows [rows, d] and [rows, pitch], in float32.
struct Float32Products {
  const AttendGradArgs& args;
  const HeadRoom& room;
  const float* k;  // the head's, rows G d apart

  void scores(std::int64_t rows, std::int64_t columns) const {
    const auto against = [&](const float* of_rows, const float* keys_or_values, float* out) {
      product({.a = of_rows,
               .a_row = args.d,
               .a_column = 1,
               .b = keys_or_values,
               .b_stride = room.pitch,
               .c = out,
               .c_stride = room.pitch,
               .M = rows,
               .N = columns,
               .K = args.d,
               .add = false});
    };
    against(room.q, room.keys_dL, room.p);
    against(room.d_out, room.values_dL, room.dp);
  }
  void add_to_keys(const float* weights, const float* of_rows, std::int64_t rows, std::int64_t keys,
                   float* out) const {
    product({.a = weights,
             .a_row = 1,
             .a_column = room.pitch,
             .b = of_rows,
             .b_stride = args.d,
             .c = out,
             .c_stride = args.G * args.d,
             .M = keys,
             .N = args.d,
             .K = rows,
             .add = true});
  }
  void query_gradient(const float* ds, std::int64_t queries, std::int64_t keys, float* dq) const {
    product({.a = ds,
             .a_row = room.pitch,
             .a_column = 1,
             .b = k,
             .b_stride = args.G * args.d,
             .c = dq,
             .c_stride = args.N * args.d,
             .M = queries,
             .N = args.d,
             .K = keys,
             .add = false});
  }
};

// The same in bfloat16.
struct Bfloat16Products {
  const AttendGradArgs& args;
  const HeadRoom& room;
  AttendGradPairs pairs;

  void scores(std::int64_t rows, std::int64_t columns) {
    pairs.scores(room.q, room.d_out, rows, columns, room.pitch, room.p, room.dp);
  }
  void add_to_keys(const float* weights, const float* of_rows, std::int64_t rows, std::int64_t keys,
                   float* out) {
    pairs.add_to_keys(weights, room.pitch, of_rows, rows, keys, out, args.G * args.d);
  }
  void query_gradient(const float* ds, std::int64_t queries, std::int64_t keys, float* dq) {
    pairs.query_gradient(ds, room.pitch, queries, keys, dq, args.N * args.d);
  }
};

// Queries [begin, begin + queries) of a segment. The tile's rows are those of all query heads beside key/value head g,
// head by head, so that what is read of keys and values, and added to their gradients, serves all of them.
template <class Products>
void attend_grad_tile(const AttendGradArgs& args, const AttendSegment& segment, std::int64_t g,
                      std::int64_t begin, std::int64_t queries, const HeadRoom& room,
                      Products& products) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  const std::int64_t d = args.d, length = segment.end - segment.begin, pitch = room.pitch;
  const std::int64_t heads = args.N / args.G, rows = heads * queries;
  const std::int64_t keys = args.causal ? begin + queries : length;  // that any of the tile sees
  const std::int64_t columns = (keys + lanes - 1) / lanes * lanes;
  const std::int64_t q_stride = args.N * d, kv = segment.begin * args.G * d + g * d;
  const std::int64_t at = (segment.begin + begin) * q_stride + g * heads * d;
  for (std::int64_t h = 0; h < heads; ++h) {
    copy_rows(args.q + at + h * d, queries, d, q_stride, room.q + h * queries * d);
    copy_rows(args.d_out + at + h * d, queries, d, q_stride, room.d_out + h * queries * d);
  }
  products.scores(rows, columns);
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t seen = args.causal ? begin + r % queries + 1 : length;
    softmax_row(room.p + r * pitch, seen, columns, args.scale);
    score_gradient(room.p + r * pitch, room.dp + r * pitch, seen, columns, args.scale);
  }
  products.add_to_keys(room.dp, room.q, rows, keys, args.dk + kv);
  products.add_to_keys(room.p, room.d_out, rows, keys, args.dv + kv);
  for (std::int64_t h = 0; h < heads; ++h)
    products.query_gradient(room.dp + h * queries * pitch, queries, keys, args.dq + at + h * d);
}

void attend_grad_head(const AttendGradArgs& args, const AttendSegment& segment, std::int64_t g,
                      bool in_bfloat16) {
  const std::int64_t d = args.d, length = segment.end - segment.begin, kv_stride = args.G * d;
  const std::int64_t kv = segment.begin * kv_stride + g * d;
  const std::int64_t rows = args.N / args.G * queries_per_tile;
  const HeadRoom room(length, rows, d, in_bfloat16);
  clear_head(args.dk + kv, length, d, kv_stride);
  clear_head(args.dv + kv, length, d, kv_stride);
  const auto each_tile = [&](auto&& products) {
    for (std::int64_t begin = 0; begin < length; begin += queries_per_tile)
      attend_grad_tile(args, segment, g, begin, std::min(queries_per_tile, length - begin), room,
                       products);
  };
  if (in_bfloat16) {
    each_tile(Bfloat16Products{
        args, room, {room.pairs, args.k + kv, args.v + kv, kv_stride, length, rows, d}});
    return;
  }
  transpose_head(args.k + kv, length, d, kv_stride, room.pitch, room.keys_dL);
  transpose_head(args.v + kv, length, d, kv_stride, room.pitch, room.values_dL);
  each_tile(Float32Products{args, room, args.k + kv});
}

void attend_grad(const AttendGradArgs& args, const Lane& lane) {
  const bool rounds = lane.bfloat16 && has_bfloat16_products() && args.d <= bfloat16_head_max;
  run(lane, args.num_segments * args.G, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t item = begin; item < end; ++item) {
      const AttendSegment& segment = args.segments[item / args.G];
      attend_grad_head(args, segment, item % args.G,
                       rounds && segment.end - segment.begin >= bfloat16_rows_min);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace herd::cpu {

HWY_EXPORT(attend_grad);

void attend_grad(const AttendGradArgs& args, const Lane& lane) {
  HWY_DYNAMIC_DISPATCH(attend_grad)(args, lane);
}

}  // namespace herd::cpu
#endif
