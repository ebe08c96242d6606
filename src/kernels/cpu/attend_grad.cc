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

constexpr std::int64_t queries_per_tile = 48;

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
  float largest = score[0];
  for (std::int64_t j = 1; j < seen; ++j) largest = std::max(largest, score[j]);
  auto total = hn::Zero(f);
  const auto factor = hn::Set(f, scale), shift = hn::Set(f, -scale * largest);
  for (std::int64_t j = 0; j < columns; j += lanes) {
    const auto inside =
        hn::FirstN(f, static_cast<std::size_t>(std::max<std::int64_t>(0, seen - j)));
    const auto e =
        hn::IfThenElseZero(inside, hn::Exp(f, hn::MulAdd(hn::LoadU(f, score + j), factor, shift)));
    hn::StoreU(e, f, score + j);
    total = hn::Add(total, e);
  }
  const auto inverse = hn::Set(f, 1.0f / hn::GetLane(hn::SumOfLanes(f, total)));
  for (std::int64_t j = 0; j < columns; j += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(f, score + j), inverse), f, score + j);
}

// dp becomes ds = scale p (dp - sum of p dp).
void score_gradient(const float* p, float* dp, std::int64_t columns, float scale) {
  const hn::ScalableTag<float> f;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(f));
  auto dot = hn::Zero(f);
  for (std::int64_t j = 0; j < columns; j += lanes)
    dot = hn::MulAdd(hn::LoadU(f, p + j), hn::LoadU(f, dp + j), dot);
  const auto mean = hn::Set(f, hn::GetLane(hn::SumOfLanes(f, dot)));
  const auto factor = hn::Set(f, scale);
  for (std::int64_t j = 0; j < columns; j += lanes) {
    const auto centred = hn::Sub(hn::LoadU(f, dp + j), mean);
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(f, p + j), factor), centred), f, dp + j);
  }
}

void clear_head(float* x, std::int64_t rows, std::int64_t d, std::int64_t stride) {
  for (std::int64_t t = 0; t < rows; ++t) std::fill_n(x + t * stride, d, 0.0f);
}

void attend_grad_head(const AttendGradArgs& args, const AttendSegment& segment, std::int64_t g) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  const std::int64_t d = args.d, length = segment.end - segment.begin;
  const std::int64_t heads = args.N / args.G;
  const std::int64_t padded = (length + lanes - 1) / lanes * lanes;
  const std::int64_t kv_stride = args.G * d, q_stride = args.N * d;
  const std::int64_t kv = segment.begin * kv_stride + g * d;
  float* keys_dL = scratch(static_cast<std::size_t>(2 * (d + queries_per_tile) * padded));
  float* values_dL = keys_dL + d * padded;
  float* p = values_dL + d * padded;
  float* dp = p + queries_per_tile * padded;
  transpose_head(args.k + kv, length, d, kv_stride, padded, keys_dL);
  transpose_head(args.v + kv, length, d, kv_stride, padded, values_dL);
  clear_head(args.dk + kv, length, d, kv_stride);
  clear_head(args.dv + kv, length, d, kv_stride);

  for (std::int64_t begin = 0; begin < length; begin += queries_per_tile) {
    const std::int64_t queries = std::min(queries_per_tile, length - begin);
    const std::int64_t keys = args.causal ? begin + queries : length;  // that any of the tile sees
    const std::int64_t columns = (keys + lanes - 1) / lanes * lanes;
    for (std::int64_t h = 0; h < heads; ++h) {
      const std::int64_t at = (segment.begin + begin) * q_stride + (g * heads + h) * d;
      const auto against = [&](const float* rows, const float* keys_or_values, float* out) {
        product({.a = rows,
                 .a_row = q_stride,
                 .a_column = 1,
                 .b = keys_or_values,
                 .b_stride = padded,
                 .c = out,
                 .c_stride = padded,
                 .M = queries,
                 .N = columns,
                 .K = d,
                 .add = false});
      };
      against(args.q + at, keys_dL, p);
      against(args.d_out + at, values_dL, dp);
      for (std::int64_t i = 0; i < queries; ++i) {
        softmax_row(p + i * padded, args.causal ? begin + i + 1 : length, columns, args.scale);
        score_gradient(p + i * padded, dp + i * padded, columns, args.scale);
      }
      product({.a = dp,
               .a_row = padded,
               .a_column = 1,
               .b = args.k + kv,
               .b_stride = kv_stride,
               .c = args.dq + at,
               .c_stride = q_stride,
               .M = queries,
               .N = d,
               .K = keys,
               .add = false});
      const auto to_keys = [&](const float* weights, const float* rows, float* out) {
        product({.a = weights,
                 .a_row = 1,
                 .a_column = padded,
                 .b = rows,
                 .b_stride = q_stride,
                 .c = out,
                 .c_stride = kv_stride,
                 .M = keys,
                 .N = d,
                 .K = queries,
                 .add = true});
      };
      to_keys(dp, args.q + at, args.dk + kv);
      to_keys(p, args.d_out + at, args.dv + kv);
    }
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
