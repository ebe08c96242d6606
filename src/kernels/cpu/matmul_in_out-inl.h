// y = x W where every input has a row of weights, outputs side by side.
//
// The order of a sum, whatever the number of rows: one lane accumulates k = 0, 1, 2, ... by fused multiply-add. Between
// blocks of k the sum waits in y, as the float32 it is.

// clang-format off
#if defined(HERD_KERNELS_CPU_MATMUL_IN_OUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_MATMUL_IN_OUT_INL_H_
#undef HERD_KERNELS_CPU_MATMUL_IN_OUT_INL_H_
#else
#define HERD_KERNELS_CPU_MATMUL_IN_OUT_INL_H_
#endif
// clang-format on

#include <algorithm>

#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/matmul_out_in-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

// Tiles of few rows are wide (4 vectors of outputs), tiles of many rows are tall (2 vectors): the former read weights
// from memory, the latter from a packed panel.
inline constexpr int wide_rows = many_registers ? 6 : 2;
inline constexpr int wide_vectors = 4;
inline constexpr int tall_rows = many_registers ? 14 : 6;
inline constexpr int tall_vectors = 2;
inline constexpr std::int64_t in_out_packed_rows_min = 8;

// Continues the sums of R rows by C vectors of outputs from k_begin to k_end. n < lanes (C is 1 then) for the last
// vector of a matrix, lanes otherwise.
template <class Weight, int R, int C>
HWY_INLINE void wide_tile(const MatmulItem& item, std::int64_t t, std::int64_t o,
                          std::int64_t k_begin, std::int64_t k_end, std::int64_t n) {
  const F32 d;
  const Matrix& w = item.group->weight;
  const bool whole = n == lanes;
  Few<const float * HWY_RESTRICT, R> x;
  Few<float * HWY_RESTRICT, R> y;
  Few<Few<V32, C>, R> sum;
  HERD_UNROLL for (int r = 0; r < R; ++r) {
    x[r] = item.x(t + r);
    y[r] = item.y(t + r) + o;
    HERD_UNROLL for (int c = 0; c < C; ++c) sum[r][c] = k_begin == 0 ? hn::Zero(d)
                                                        : whole ? hn::LoadU(d, y[r] + c * lanes)
                                                                : load_part(y[r], n);
  }
  Bytes weight = static_cast<Bytes>(w.data) + (k_begin * w.stride + o) * Weight::bytes;
  for (std::int64_t k = k_begin; k < k_end; ++k, weight += w.stride * Weight::bytes) {
    Few<V32, C> decoded;
    HERD_UNROLL for (int c = 0; c < C; ++c) decoded[c] =
        whole ? load_f32(Weight(), weight + c * lanes * Weight::bytes)
              : load_f32_part(Weight(), weight, n);
    HERD_UNROLL for (int r = 0; r < R; ++r) {
      const V32 input = hn::Set(d, x[r][k]);
      HERD_UNROLL for (int c = 0; c < C; ++c) sum[r][c] = hn::MulAdd(input, decoded[c], sum[r][c]);
    }
  }
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int c = 0; c < C; ++c) {
    if (whole)
      hn::StoreU(sum[r][c], d, y[r] + c * lanes);
    else
      store_part(sum[r][c], y[r], n);
  }
}

template <class Weight, int C>
HWY_INLINE void wide_rows_of(const MatmulItem& item, std::int64_t o, std::int64_t k_begin,
                             std::int64_t k_end, std::int64_t n) {
  std::int64_t t = item.row_begin;
  if constexpr (wide_rows == 6) {
    for (; t + 6 <= item.row_end; t += 6) wide_tile<Weight, 6, C>(item, t, o, k_begin, k_end, n);
    if (t + 4 <= item.row_end) {
      wide_tile<Weight, 4, C>(item, t, o, k_begin, k_end, n);
      t += 4;
    }
  }
  for (; t + 2 <= item.row_end; t += 2) wide_tile<Weight, 2, C>(item, t, o, k_begin, k_end, n);
  if (t < item.row_end) wide_tile<Weight, 1, C>(item, t, o, k_begin, k_end, n);
}

// Few rows: bound by the weights' way from memory. A block of rows of W is walked from left to right, so that each of
// its rows is one forward stream that hardware prefetchers follow.
template <class Weight>
void wide_direct(const MatmulItem& item) {
  constexpr std::int64_t block_k = 16;
  const std::int64_t in = item.group->weight.in;
  for (std::int64_t k = 0; k < in; k += block_k) {
    const std::int64_t k_end = std::min(k + block_k, in);
    std::int64_t o = item.out_begin;
    for (; o + wide_vectors * lanes <= item.out_end; o += wide_vectors * lanes)
      wide_rows_of<Weight, wide_vectors>(item, o, k, k_end, lanes);
    for (; o + lanes <= item.out_end; o += lanes) wide_rows_of<Weight, 1>(item, o, k, k_end, lanes);
    if (o < item.out_end) wide_rows_of<Weight, 1>(item, o, k, k_end, item.out_end - o);
  }
}

// Continues R rows by tall_vectors of outputs over `steps` inputs; `weight` is packed as [k, tall_vectors * lanes].
// Only the first `outs` outputs are read and written in y.
template <int R>
HWY_INLINE void tall_tile(const MatmulItem& item, std::int64_t t, std::int64_t o, std::int64_t outs,
                          std::int64_t k_begin, std::int64_t steps,
                          const float* HWY_RESTRICT weight) {
  constexpr std::int64_t width = tall_vectors * lanes;
  const F32 d;
  const bool whole = outs == width;
  Few<const float * HWY_RESTRICT, R> x;
  Few<Few<V32, tall_vectors>, R> sum;
  HERD_UNROLL for (int r = 0; r < R; ++r) {
    x[r] = item.x(t + r) + k_begin;
    const float* y = item.y(t + r) + o;
    HWY_ALIGN float copy[width] = {};
    if (!whole && k_begin != 0) y = std::copy(y, y + outs, copy) - outs;
    HERD_UNROLL for (int c = 0; c < tall_vectors; ++c) sum[r][c] =
        k_begin == 0 ? hn::Zero(d) : hn::LoadU(d, y + c * lanes);
  }
  for (std::int64_t k = 0; k < steps; ++k) {
    V32 decoded[tall_vectors];
    HERD_UNROLL for (int c = 0; c < tall_vectors; ++c) decoded[c] =
        hn::Load(d, weight + k * width + c * lanes);
    HERD_UNROLL for (int r = 0; r < R; ++r) {
      const V32 input = hn::Set(d, x[r][k]);
      HERD_UNROLL for (int c = 0; c < tall_vectors; ++c) sum[r][c] =
          hn::MulAdd(input, decoded[c], sum[r][c]);
    }
  }
  HERD_UNROLL for (int r = 0; r < R; ++r) {
    float* y = item.y(t + r) + o;
    if (whole) {
      HERD_UNROLL for (int c = 0; c < tall_vectors; ++c) hn::StoreU(sum[r][c], d, y + c * lanes);
    } else {
      HWY_ALIGN float copy[width];
      HERD_UNROLL for (int c = 0; c < tall_vectors; ++c) hn::Store(sum[r][c], d, copy + c * lanes);
      std::copy(copy, copy + outs, y);
    }
  }
}

// Many rows: a block of W is decoded into panels that stay in the second-level cache while all rows pass.
template <class Weight>
void tall_packed(const MatmulItem& item) {
  constexpr std::int64_t block_k = 256;
  constexpr std::int64_t width = tall_vectors * lanes;
  const Matrix& w = item.group->weight;
  const F32 d;
  const std::int64_t outs = item.out_end - item.out_begin;
  const std::int64_t panels = (outs + width - 1) / width;
  float* packed = scratch(static_cast<std::size_t>(panels * block_k * width));

  for (std::int64_t k0 = 0; k0 < w.in; k0 += block_k) {
    const std::int64_t steps = std::min(block_k, w.in - k0);
    for (std::int64_t k = 0; k < steps; ++k) {
      Bytes from =
          static_cast<Bytes>(w.data) + ((k0 + k) * w.stride + item.out_begin) * Weight::bytes;
      for (std::int64_t v = 0; v < panels * tall_vectors; ++v) {
        const std::int64_t n = outs - v * lanes;
        Bytes at = from + v * lanes * Weight::bytes;
        const V32 decoded = n >= lanes ? load_f32(Weight(), at)
                            : n > 0    ? load_f32_part(Weight(), at, n)
                                       : hn::Zero(d);
        hn::Store(decoded, d,
                  packed + (v / tall_vectors * block_k + k) * width + v % tall_vectors * lanes);
      }
    }
    const auto rows = [&](auto count, std::int64_t t) HWY_ATTR {
      for (std::int64_t p = 0; p < panels; ++p)
        tall_tile<decltype(count)::value>(item, t, item.out_begin + p * width,
                                          std::min(width, outs - p * width), k0, steps,
                                          packed + p * block_k * width);
    };
    std::int64_t t = item.row_begin;
    for (; t + tall_rows <= item.row_end; t += tall_rows)
      rows(std::integral_constant<int, tall_rows>(), t);
    if constexpr (tall_rows > 8)
      for (; t + 8 <= item.row_end; t += 8) rows(std::integral_constant<int, 8>(), t);
    for (; t + 4 <= item.row_end; t += 4) rows(std::integral_constant<int, 4>(), t);
    for (; t < item.row_end; ++t) rows(std::integral_constant<int, 1>(), t);
  }
}

template <class Weight>
void multiply_in_out(const MatmulItem& item) {
  if (item.rows() < in_out_packed_rows_min)
    wide_direct<Weight>(item);
  else
    tall_packed<Weight>(item);
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
