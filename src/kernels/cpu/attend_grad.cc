// The way back through attention. Work is one key/value head of one segment: its thread goes through the queries in
// tiles, holds a tile's weights against all keys, and adds to the keys' and values' gradients, which are its alone.
// Five products a tile (Dao et al. 2022, appendix B); nothing was saved by the forward pass.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attend_grad.cc"
// clang-format off
#include "kernels/cpu/targets.h"
#include <hwy/foreach_target.h>
// clang-format on
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <algorithm>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/product-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Few, because with causal attention a tile meets every key up to its last query's: what later queries see is computed
// for the earlier ones and thrown away.
constexpr std::int64_t queries_per_tile = 24;

// Rows of this many floats, an odd number of vectors, spread over all sets of the first-level cache.
std::int64_t spread(std::int64_t floats) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  return ((floats + lanes - 1) / lanes | 1) * lanes;
}

// x [rows, d], rows `stride` apart -> [d, columns], the rest of the columns zero.
void transpose_head(const float* x, std::int64_t rows, std::int64_t d, std::int64_t stride,
                    std::int64_t columns, float* out) {
  for (std::int64_t i = 0; i < d; ++i) {
    for (std::int64_t t = 0; t < rows; ++t) out[i * columns + t] = x[t * stride + i];
    std::fill(out + i * columns + rows, out + (i + 1) * columns, 0.0f);
  }
}

// score [columns] of which the first `seen` count -> weights scale * score's softmax, the rest 0; columns is whole
// vectors.
void softmax_row(float* score, std::int64_t seen, std::int64_t columns, float scale) {
  const hn::ScalableTag<float> f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  const std::int64_t used = (seen + lanes - 1) / lanes * lanes;
  const auto inside = [&](std::int64_t j) {
    return hn::FirstN(f, static_cast<std::size_t>(std::min(lanes, seen - j)));
  };
  auto most = hn::Set(f, score[0]);
  for (std::int64_t j = 0; j < used; j += lanes)
    most = hn::Max(most, hn::IfThenElse(inside(j), hn::LoadU(f, score + j), most));
  const float largest = hn::GetLane(hn::MaxOfLanes(f, most));
  auto total = hn::Zero(f);
  const auto factor = hn::Set(f, scale), shift = hn::Set(f, -scale * largest);
  for (std::int64_t j = 0; j < used; j += lanes) {
    const auto e = hn::IfThenElseZero(
        inside(j), hn::Exp(f, hn::MulAdd(hn::LoadU(f, score + j), factor, shift)));
    hn::StoreU(e, f, score + j);
    total = hn::Add(total, e);
  }
  const auto inverse = hn::Set(f, 1.0f / hn::GetLane(hn::SumOfLanes(f, total)));
  for (std::int64_t j = 0; j < used; j += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(f, score + j), inverse), f, score + j);
  std::fill(score + used, score + columns, 0.0f);
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

// Rows of d floats, `stride` apart, one after the other.
void copy_rows(const float* from, std::int64_t rows, std::int64_t d, std::int64_t stride,
               float* to) {
  for (std::int64_t t = 0; t < rows; ++t) std::copy_n(from + t * stride, d, to + t * d);
}

// A tile's rows are those of all query heads beside the key/value head, head by head, so that what is read of keys and
// values, and added to their gradients, serves all of them.
void attend_grad_head(const AttendGradArgs& args, const AttendSegment& segment, std::int64_t g) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  const std::int64_t d = args.d, length = segment.end - segment.begin;
  const std::int64_t heads = args.N / args.G, rows_max = heads * queries_per_tile;
  const std::int64_t pitch = spread(length);
  const std::int64_t kv_stride = args.G * d, q_stride = args.N * d;
  const std::int64_t kv = segment.begin * kv_stride + g * d;
  float* keys_dL = scratch(static_cast<std::size_t>(2 * (d + rows_max) * pitch + 2 * rows_max * d));
  float* values_dL = keys_dL + d * pitch;
  float* p = values_dL + d * pitch;
  float* dp = p + rows_max * pitch;
  float* q = dp + rows_max * pitch;
  float* d_out = q + rows_max * d;
  transpose_head(args.k + kv, length, d, kv_stride, pitch, keys_dL);
  transpose_head(args.v + kv, length, d, kv_stride, pitch, values_dL);
  clear_head(args.dk + kv, length, d, kv_stride);
  clear_head(args.dv + kv, length, d, kv_stride);

  for (std::int64_t begin = 0; begin < length; begin += queries_per_tile) {
    const std::int64_t queries = std::min(queries_per_tile, length - begin);
    const std::int64_t rows = heads * queries;
    const std::int64_t keys = args.causal ? begin + queries : length;  // that any of the tile sees
    const std::int64_t columns = (keys + lanes - 1) / lanes * lanes;
    const std::int64_t at = (segment.begin + begin) * q_stride + g * heads * d;
    for (std::int64_t h = 0; h < heads; ++h) {
      copy_rows(args.q + at + h * d, queries, d, q_stride, q + h * queries * d);
      copy_rows(args.d_out + at + h * d, queries, d, q_stride, d_out + h * queries * d);
    }
    const auto against = [&](const float* rows_of, const float* keys_or_values, float* out) {
      product({.a = rows_of,
               .a_row = d,
               .a_column = 1,
               .b = keys_or_values,
               .b_stride = pitch,
               .c = out,
               .c_stride = pitch,
               .M = rows,
               .N = columns,
               .K = d,
               .add = false});
    };
    against(q, keys_dL, p);
    against(d_out, values_dL, dp);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t seen = args.causal ? begin + r % queries + 1 : length;
      softmax_row(p + r * pitch, seen, columns, args.scale);
      score_gradient(p + r * pitch, dp + r * pitch, seen, columns, args.scale);
    }
    const auto to_keys = [&](const float* weights, const float* rows_of, float* out) {
      product({.a = weights,
               .a_row = 1,
               .a_column = pitch,
               .b = rows_of,
               .b_stride = d,
               .c = out,
               .c_stride = kv_stride,
               .M = keys,
               .N = d,
               .K = rows,
               .add = true});
    };
    to_keys(dp, q, args.dk + kv);
    to_keys(p, d_out, args.dv + kv);
    for (std::int64_t h = 0; h < heads; ++h)
      product({.a = dp + h * queries * pitch,
               .a_row = pitch,
               .a_column = 1,
               .b = args.k + kv,
               .b_stride = kv_stride,
               .c = args.dq + at + h * d,
               .c_stride = q_stride,
               .M = queries,
               .N = d,
               .K = keys,
               .add = false});
  }
}

void attend_grad(const AttendGradArgs& args, const Lane& lane) {
  run(lane, args.num_segments * args.G, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t item = begin; item < end; ++item)
      attend_grad_head(args, args.segments[item / args.G], item % args.G);
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
