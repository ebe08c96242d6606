// y = x W^T where every output has a row of weights: dot products.
//
// The order of a sum, whatever the number of rows: lane l of one vector accumulates k = l, l + lanes, l + 2 lanes, ...
// by fused multiply-add; missing elements of the last step count as zero; the lanes are added once at the end by the
// fixed tree of SumOfLanes. Tiles only decide which sums run side by side; a sum that is put aside between two blocks
// of k is stored as its whole vector of lanes, so it continues as if it had not stopped.

// clang-format off
#if defined(HERD_KERNELS_CPU_MATMUL_OUT_IN_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_MATMUL_OUT_IN_INL_H_
#undef HERD_KERNELS_CPU_MATMUL_OUT_IN_INL_H_
#else
#define HERD_KERNELS_CPU_MATMUL_OUT_IN_INL_H_
#endif
// clang-format on

#include <algorithm>

#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/matmul_plan.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

// Rows x outputs whose accumulators fit the registers, with room for the rows of x and one vector of weights.
inline constexpr bool many_registers =
    HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_NEON;
inline constexpr int dot_rows = many_registers ? 6 : 3;
inline constexpr int dot_outs = 4;

// From this many rows on, decoding a block of weights once and reading it back as floats is the faster way.
inline constexpr std::int64_t dot_packed_rows_min = 4 * dot_rows;

// One tile, from the first k to the last, decoding weights on the way.
template <class Weight, int R>
HWY_INLINE void dot_tile(const MatmulItem& item, std::int64_t t, std::int64_t o) {
  const Matrix& w = item.group->weight;
  // Tiles at the edge repeat their last row or output; the repeats are not stored.
  Few<const float * HWY_RESTRICT, R> x;
  Bytes weight[dot_outs];
  HERD_UNROLL for (int r = 0; r < R; ++r) x[r] = item.x(std::min(t + r, item.row_end - 1));
  HERD_UNROLL for (int c = 0; c < dot_outs; ++c) weight[c] =
      static_cast<Bytes>(w.data) + std::min(o + c, item.out_end - 1) * w.stride * Weight::bytes;

  const F32 d;
  Few<Few<V32, dot_outs>, R> sum;
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int c = 0; c < dot_outs; ++c) sum[r][c] =
      hn::Zero(d);

  std::int64_t k = 0;
  for (; k + lanes <= w.in; k += lanes) {
    Few<V32, R> row;
    HERD_UNROLL for (int r = 0; r < R; ++r) row[r] = hn::LoadU(d, x[r] + k);
    HERD_UNROLL for (int c = 0; c < dot_outs; ++c) {
      const V32 decoded = load_f32(Weight(), weight[c] + k * Weight::bytes);
      HERD_UNROLL for (int r = 0; r < R; ++r) sum[r][c] = hn::MulAdd(row[r], decoded, sum[r][c]);
    }
  }
  if (const std::int64_t left = w.in - k; left > 0) {
    Few<V32, R> row;
    HERD_UNROLL for (int r = 0; r < R; ++r) row[r] = load_part(x[r] + k, left);
    HERD_UNROLL for (int c = 0; c < dot_outs; ++c) {
      const V32 decoded = load_f32_part(Weight(), weight[c] + k * Weight::bytes, left);
      HERD_UNROLL for (int r = 0; r < R; ++r) sum[r][c] = hn::MulAdd(row[r], decoded, sum[r][c]);
    }
  }

  const std::int64_t outs = std::min<std::int64_t>(dot_outs, item.out_end - o);
  HERD_UNROLL for (int r = 0; r < R; ++r) {
    if (t + r >= item.row_end) break;
    float* y = item.y(t + r) + o;
    HERD_UNROLL for (int c = 0; c < dot_outs; ++c) {
      const float total = hn::GetLane(hn::SumOfLanes(d, sum[r][c]));
      if (c < outs) y[c] = total;
    }
  }
}

// Few rows: bound by the weights' way from memory, so they are read in place, in order, once per tile of rows.
template <class Weight>
void dot_direct(const MatmulItem& item) {
  for (std::int64_t o = item.out_begin; o < item.out_end; o += dot_outs) {
    std::int64_t t = item.row_begin;
    for (; t + dot_rows <= item.row_end; t += dot_rows) dot_tile<Weight, dot_rows>(item, t, o);
    const std::int64_t left = item.row_end - t;
    if (left == 1) dot_tile<Weight, 1>(item, t, o);
    if (left == 2) dot_tile<Weight, 2>(item, t, o);
    if (left == 3) dot_tile<Weight, 3>(item, t, o);
    if constexpr (dot_rows > 4) {
      if (left == 4) dot_tile<Weight, 4>(item, t, o);
      if (left == 5) dot_tile<Weight, dot_rows>(item, t, o);
    }
  }
}

// Continues R x dot_outs sums over `steps` vectors of k. `weight` is packed as [step, output, lane]; sums [R, output,
// lane]. A last step of `left` elements follows where left > 0.
template <int R>
HWY_INLINE void dot_continue(const float* const* rows, const float* HWY_RESTRICT weight,
                             std::int64_t steps, std::int64_t left, float* HWY_RESTRICT sums) {
  const F32 d;
  Few<const float * HWY_RESTRICT, R> x;
  HERD_UNROLL for (int r = 0; r < R; ++r) x[r] = rows[r];
  Few<Few<V32, dot_outs>, R> sum;
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int c = 0; c < dot_outs; ++c) sum[r][c] =
      hn::Load(d, sums + (r * dot_outs + c) * lanes);

  for (std::int64_t step = 0; step < steps; ++step) {
    Few<V32, R> row;
    HERD_UNROLL for (int r = 0; r < R; ++r) row[r] = hn::LoadU(d, x[r] + step * lanes);
    HERD_UNROLL for (int c = 0; c < dot_outs; ++c) {
      const V32 decoded = hn::Load(d, weight + (step * dot_outs + c) * lanes);
      HERD_UNROLL for (int r = 0; r < R; ++r) sum[r][c] = hn::MulAdd(row[r], decoded, sum[r][c]);
    }
  }
  if (left > 0) {
    HERD_UNROLL for (int r = 0; r < R; ++r) {
      const V32 row = load_part(x[r] + steps * lanes, left);
      HERD_UNROLL for (int c = 0; c < dot_outs; ++c) {
        const V32 decoded = hn::Load(d, weight + (steps * dot_outs + c) * lanes);
        sum[r][c] = hn::MulAdd(row, decoded, sum[r][c]);
      }
    }
  }

  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int c = 0; c < dot_outs; ++c)
      hn::Store(sum[r][c], d, sums + (r * dot_outs + c) * lanes);
}

// Many rows: blocks of k are decoded to a panel that stays in the second-level cache while a block of rows passes; a
// tile's rows of x stay in the first.
template <class Weight>
void dot_packed(const MatmulItem& item) {
  constexpr std::int64_t block_k = 512;
  constexpr std::int64_t block_rows = 8 * 6;
  static_assert(block_rows % dot_rows == 0 && block_k % lanes == 0);
  const Matrix& w = item.group->weight;
  const F32 d;
  const std::int64_t panels = (item.out_end - item.out_begin + dot_outs - 1) / dot_outs;
  const std::int64_t panel_size = block_k * dot_outs;
  const std::int64_t tile_size = dot_rows * dot_outs * lanes;
  const std::int64_t sums_size = block_rows / dot_rows * panels * tile_size;
  float* packed = scratch(static_cast<std::size_t>(panels * panel_size + sums_size));
  float* sums = packed + panels * panel_size;

  for (std::int64_t t0 = item.row_begin; t0 < item.row_end; t0 += block_rows) {
    const std::int64_t t1 = std::min(t0 + block_rows, item.row_end);
    std::fill(sums, sums + sums_size, 0.0f);
    for (std::int64_t k0 = 0; k0 < w.in; k0 += block_k) {
      const std::int64_t steps = std::min(block_k, w.in - k0) / lanes;
      const std::int64_t left = std::min(block_k, w.in - k0) % lanes;
      for (std::int64_t p = 0; p < panels; ++p)
        for (std::int64_t c = 0; c < dot_outs; ++c) {
          const std::int64_t o = std::min(item.out_begin + p * dot_outs + c, item.out_end - 1);
          Bytes from = static_cast<Bytes>(w.data) + (o * w.stride + k0) * Weight::bytes;
          float* to = packed + p * panel_size + c * lanes;
          for (std::int64_t step = 0; step < steps; ++step)
            hn::Store(load_f32(Weight(), from + step * lanes * Weight::bytes), d,
                      to + step * dot_outs * lanes);
          if (left > 0)
            hn::Store(load_f32_part(Weight(), from + steps * lanes * Weight::bytes, left), d,
                      to + steps * dot_outs * lanes);
        }
      for (std::int64_t t = t0; t < t1; t += dot_rows) {
        const float* rows[dot_rows];
        for (int r = 0; r < dot_rows; ++r) rows[r] = item.x(std::min(t + r, t1 - 1)) + k0;
        float* tile = sums + (t - t0) / dot_rows * panels * tile_size;
        for (std::int64_t p = 0; p < panels; ++p)
          dot_continue<dot_rows>(rows, packed + p * panel_size, steps, left, tile + p * tile_size);
      }
    }
    for (std::int64_t t = t0; t < t1; ++t) {
      const float* tile =
          sums + (t - t0) / dot_rows * panels * tile_size + (t - t0) % dot_rows * dot_outs * lanes;
      for (std::int64_t o = item.out_begin; o < item.out_end; ++o) {
        const std::int64_t p = (o - item.out_begin) / dot_outs, c = (o - item.out_begin) % dot_outs;
        const V32 sum = hn::Load(d, tile + p * tile_size + c * lanes);
        item.y(t)[o] = hn::GetLane(hn::SumOfLanes(d, sum));
      }
    }
  }
}

template <class Weight>
void multiply_out_in(const MatmulItem& item) {
  if (item.rows() < dot_packed_rows_min)
    dot_direct<Weight>(item);
  else
    dot_packed<Weight>(item);
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
