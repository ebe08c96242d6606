// What products in bfloat16 are made of: packing float32 to pairs, and a tile of rows of pairs times a panel of pairs.
// A pair is two neighbours along k in the halves of 32 bits, the first one low. A panel is [pairs, 32]. For processors
// with AVX512_BF16 alone; every function that calls these has the same attributes.
#pragma once

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "kernels/cpu/quantized_product.h"
#include "kernels/cpu/targets.h"

#if defined(__GNUC__) && !defined(__clang__)
// As in quantized_vnni512.cc: GCC 12 and its own intrinsics.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

#define HERD_BFLOAT16_ATTRIBUTES "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,bmi,bmi2"

HWY_PUSH_ATTRIBUTES(HERD_BFLOAT16_ATTRIBUTES)
namespace herd::cpu::pairs {

inline constexpr std::int64_t lanes = 16;
inline constexpr std::int64_t panel_width = 2 * lanes;
inline constexpr std::int64_t block_k = 256;  // as in panel-inl.h
inline constexpr std::int64_t block_pairs = block_k / 2;
inline constexpr int tile_rows_max = 14;  // with two vectors of outputs: 28 sums in registers

inline __mmask16 first(std::int64_t n) {
  return static_cast<__mmask16>(n >= lanes ? 0xffff : (1u << std::max<std::int64_t>(n, 0)) - 1);
}

// Sixteen pairs of a and b, lane by lane.
HWY_INLINE __m512i pairs_of(__m512 a, __m512 b) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

// Sixteen pairs of 32 neighbours, of which `count` exist.
HWY_INLINE __m512i pairs_at(const float* from, std::int64_t count) {
  return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(first(count - lanes), from + lanes),
                                      _mm512_maskz_loadu_ps(first(count), from));
}
HWY_INLINE __m512i pairs_at(const std::uint16_t* from, std::int64_t count) {
  const __mmask32 there = count >= 2 * lanes ? ~0u : (1u << count) - 1;
  return _mm512_maskz_loadu_epi16(there, from);
}

// Sixteen pairs, each of a number of `a` and the one of `b` below it, of which `count` exist; no b: of zeros.
HWY_INLINE __m512i pairs_between(const float* a, const float* b, std::int64_t count) {
  const __m512 second = b != nullptr ? _mm512_maskz_loadu_ps(first(count), b) : _mm512_setzero_ps();
  return pairs_of(_mm512_maskz_loadu_ps(first(count), a), second);
}
HWY_INLINE __m512i pairs_between(const std::uint16_t* a, const std::uint16_t* b,
                                 std::int64_t count) {
  const auto wide = [&](const std::uint16_t* from) {
    return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first(count), from));
  };
  return b == nullptr ? wide(a) : _mm512_or_si512(wide(a), _mm512_slli_epi32(wide(b), 16));
}

// [16, 16] turned about its diagonal.
HWY_INLINE void turn(__m512i (&v)[16]) {
  __m512i u[lanes];
  HERD_UNROLL for (int i = 0; i < 16; i += 4) {
    const __m512i a = _mm512_unpacklo_epi32(v[i], v[i + 1]),
                  b = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    const __m512i c = _mm512_unpacklo_epi32(v[i + 2], v[i + 3]),
                  d = _mm512_unpackhi_epi32(v[i + 2], v[i + 3]);
    u[i] = _mm512_unpacklo_epi64(a, c);
    u[i + 1] = _mm512_unpackhi_epi64(a, c);
    u[i + 2] = _mm512_unpacklo_epi64(b, d);
    u[i + 3] = _mm512_unpackhi_epi64(b, d);
  }
  // u[4 g + j] holds in block b column 4 b + j of rows 4 g to 4 g + 3.
  HERD_UNROLL for (int j = 0; j < 4; ++j) {
    const __m512i low01 = _mm512_shuffle_i32x4(u[j], u[4 + j], 0x88),
                  high01 = _mm512_shuffle_i32x4(u[j], u[4 + j], 0xdd);
    const __m512i low23 = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0x88),
                  high23 = _mm512_shuffle_i32x4(u[8 + j], u[12 + j], 0xdd);
    v[j] = _mm512_shuffle_i32x4(low01, low23, 0x88);
    v[8 + j] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
    v[4 + j] = _mm512_shuffle_i32x4(high01, high23, 0x88);
    v[12 + j] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
  }
}

// `count` rows of k, `outs` neighbours each (at most a panel's), to pairs, `step` apart. Numbers are float32, which are
// rounded, or bfloat16.
template <class Number>
void pack_rows(const Number* from, std::int64_t stride, std::int64_t count, std::int64_t outs,
               std::uint32_t* panel, std::int64_t step = panel_width) {
  for (std::int64_t k = 0; k < count; k += 2, from += 2 * stride, panel += step) {
    const Number* const below = k + 1 < count ? from + stride : nullptr;
    _mm512_storeu_si512(panel, pairs_between(from, below, outs));
    const Number* const beside = below == nullptr ? nullptr : below + lanes;
    _mm512_storeu_si512(panel + lanes, pairs_between(from + lanes, beside, outs - lanes));
  }
}

// The same from `outs` rows of `count` neighbours along k.
template <class Number>
void pack_columns(const Number* from, std::int64_t stride, std::int64_t count, std::int64_t outs,
                  std::uint32_t* panel) {
  for (std::int64_t v = 0; v < 2; ++v, panel += lanes)
    for (std::int64_t k = 0; k < count; k += 2 * lanes) {
      __m512i square[lanes];
      HERD_UNROLL for (int i = 0; i < lanes; ++i) {
        // Outputs beyond the last repeat it; nobody stores their sums.
        const std::int64_t o = std::min(v * lanes + i, outs - 1);
        square[i] = pairs_at(from + o * stride + k, count - k);
      }
      turn(square);
      const std::int64_t pairs = std::min((count - k + 1) / 2, lanes);
      HERD_UNROLL for (int i = 0; i < lanes; ++i) {
        if (i < pairs) _mm512_storeu_si512(panel + (k / 2 + i) * panel_width, square[i]);
      }
    }
}

// y[r, o] (+)= the sum over pairs p of x[r * row_step + p * pair_step] with panel[p, o].
struct Tile {
  const std::uint32_t* x;
  std::int64_t pair_step;
  const std::uint32_t* panel;
  std::int64_t pairs;
  float* y;
  std::int64_t y_stride;
  std::int64_t outs;
  bool add;
};

template <int R, std::int64_t row_step>
void tile(const Tile& t) {
  __m512 sum[static_cast<std::size_t>(R)][2];
  HERD_UNROLL for (int r = 0; r < R; ++r) {
    __builtin_prefetch(t.y + r * t.y_stride, 1);
    __builtin_prefetch(t.y + r * t.y_stride + lanes, 1);
    sum[r][0] = sum[r][1] = _mm512_setzero_ps();
  }
  const std::uint32_t* x = t.x;
  const std::uint32_t* panel = t.panel;
  for (std::int64_t p = 0; p < t.pairs; ++p, x += t.pair_step, panel += panel_width) {
    const auto w0 = (__m512bh)_mm512_loadu_si512(panel);
    const auto w1 = (__m512bh)_mm512_loadu_si512(panel + lanes);
    HERD_UNROLL for (int r = 0; r < R; ++r) {
      const auto pair = (__m512bh)_mm512_set1_epi32(static_cast<int>(x[r * row_step]));
      sum[r][0] = _mm512_dpbf16_ps(sum[r][0], w0, pair);
      sum[r][1] = _mm512_dpbf16_ps(sum[r][1], w1, pair);
    }
  }
  const __mmask16 low = first(t.outs), high = first(t.outs - lanes);
  HERD_UNROLL for (int r = 0; r < R; ++r) {
    float* y = t.y + r * t.y_stride;
    if (t.add) {
      sum[r][0] = _mm512_add_ps(sum[r][0], _mm512_maskz_loadu_ps(low, y));
      sum[r][1] = _mm512_add_ps(sum[r][1], _mm512_maskz_loadu_ps(high, y + lanes));
    }
    _mm512_mask_storeu_ps(y, low, sum[r][0]);
    _mm512_mask_storeu_ps(y + lanes, high, sum[r][1]);
  }
}

// The same with vectors of 256 bits: four for the panel, so sums of six rows fit the registers. Every lane adds in the
// same order, so the bits are the same.
template <int R, std::int64_t row_step>
void six_rows(const Tile& t) {
  constexpr int width = 4;
  constexpr std::int64_t half = lanes / 2;
  __m256 sum[static_cast<std::size_t>(R)][width];
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int v = 0; v < width; ++v) sum[r][v] =
      _mm256_setzero_ps();
  const std::uint32_t* x = t.x;
  const std::uint32_t* panel = t.panel;
  for (std::int64_t p = 0; p < t.pairs; ++p, x += t.pair_step, panel += panel_width) {
    __m256bh w[width];
    HERD_UNROLL for (int v = 0; v < width; ++v) w[v] = (__m256bh)_mm256_loadu_si256(
        static_cast<const __m256i_u*>(static_cast<const void*>(panel + v * half)));
    HERD_UNROLL for (int r = 0; r < R; ++r) {
      const auto pair = (__m256bh)_mm256_set1_epi32(static_cast<int>(x[r * row_step]));
      HERD_UNROLL for (int v = 0; v < width; ++v) sum[r][v] =
          _mm256_dpbf16_ps(sum[r][v], w[v], pair);
    }
  }
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int v = 0; v < width; ++v) {
    float* y = t.y + r * t.y_stride + v * half;
    const auto there = static_cast<__mmask8>(first(std::min(t.outs - v * half, half)));
    if (t.add) sum[r][v] = _mm256_add_ps(sum[r][v], _mm256_maskz_loadu_ps(there, y));
    _mm256_mask_storeu_ps(y, there, sum[r][v]);
  }
}

template <int R, std::int64_t row_step>
void narrow_tile(const Tile& t) {
  constexpr int parts = (R + 5) / 6;
  [&]<int... i>(std::integer_sequence<int, i...>) {
    const auto part = [&]<int begin, int end>() {
      Tile of = t;
      of.x += begin * row_step;
      of.y += begin * t.y_stride;
      six_rows<end - begin, row_step>(of);
    };
    (part.template operator()<R * i / parts, R*(i + 1) / parts>(), ...);
  }(std::make_integer_sequence<int, parts>());
}

using TileFunction = void (*)(const Tile&);

// tile<rows, row_step>, or narrow_tile.
template <std::int64_t row_step>
TileFunction tile_of(std::int64_t rows) {
  using Table = std::array<TileFunction, tile_rows_max>;
  constexpr auto all = std::make_integer_sequence<int, tile_rows_max>();
  static constexpr Table wide = []<int... R>(std::integer_sequence<int, R...>) {
    return Table{tile<R + 1, row_step>...};
  }(all);
  static constexpr Table narrow = []<int... R>(std::integer_sequence<int, R...>) {
    return Table{narrow_tile<R + 1, row_step>...};
  }(all);
  return (forced_below_512_bits() ? narrow : wide)[static_cast<std::size_t>(rows - 1)];
}

inline std::int64_t tiles_of(std::int64_t rows) {
  return (rows + tile_rows_max - 1) / tile_rows_max;
}
inline std::int64_t tile_begin(std::int64_t rows, std::int64_t i) {
  return rows * i / tiles_of(rows);
}

}  // namespace herd::cpu::pairs
HWY_POP_ATTRIBUTES
