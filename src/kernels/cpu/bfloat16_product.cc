// Both products are one: rows of pairs (x, or dY turned round) times a panel of pairs (weights, or X). A pair is two
// neighbours along k in the halves of 32 bits, the first one low. A panel is [pairs, 32].
#include "kernels/cpu/bfloat16_product.h"

#include "base/check.h"

#if defined(__x86_64__)

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/cpu/instruction_set.h"
#include "kernels/cpu/targets.h"
#include "kernels/cpu/work.h"

#if defined(__GNUC__) && !defined(__clang__)
// As in quantized_vnni512.cc: GCC 12 and its own intrinsics.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma,bmi,bmi2")
namespace herd::cpu {
namespace {

constexpr std::int64_t lanes = 16;
constexpr std::int64_t panel_width = 2 * lanes;
constexpr std::int64_t block_k = 256;  // as in panel-inl.h
constexpr std::int64_t block_pairs = block_k / 2;
constexpr int tile_rows_max = 14;  // with two vectors of outputs: 28 sums in registers

__mmask16 first(std::int64_t n) {
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

// `count` rows of k, `outs` neighbours each (at most a panel's), to pairs, `step` apart.
void pack_rows(const float* from, std::int64_t stride, std::int64_t count, std::int64_t outs,
               std::uint32_t* panel, std::int64_t step = panel_width) {
  const __mmask16 low = first(outs), high = first(outs - lanes);
  const __m512 zero = _mm512_setzero_ps();
  for (std::int64_t k = 0; k < count; k += 2, from += 2 * stride, panel += step) {
    const bool two = k + 1 < count;
    const __m512 a0 = _mm512_maskz_loadu_ps(low, from),
                 a1 = _mm512_maskz_loadu_ps(high, from + lanes);
    const __m512 b0 = two ? _mm512_maskz_loadu_ps(low, from + stride) : zero;
    const __m512 b1 = two ? _mm512_maskz_loadu_ps(high, from + stride + lanes) : zero;
    _mm512_storeu_si512(panel, pairs_of(a0, b0));
    _mm512_storeu_si512(panel + lanes, pairs_of(a1, b1));
  }
}

// The same from `outs` rows of `count` neighbours along k.
void pack_columns(const float* from, std::int64_t stride, std::int64_t count, std::int64_t outs,
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

using TileFunction = void (*)(const Tile&);

// tile<rows, row_step>.
template <std::int64_t row_step>
TileFunction tile_of(std::int64_t rows) {
  static constexpr auto table = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array<TileFunction, sizeof...(R)>{tile<R + 1, row_step>...};
  }(std::make_integer_sequence<int, tile_rows_max>());
  return table[static_cast<std::size_t>(rows - 1)];
}

std::int64_t tiles_of(std::int64_t rows) { return (rows + tile_rows_max - 1) / tile_rows_max; }
std::int64_t tile_begin(std::int64_t rows, std::int64_t i) { return rows * i / tiles_of(rows); }

std::uint32_t* pair_scratch(std::int64_t pairs) {
  return static_cast<std::uint32_t*>(static_cast<void*>(scratch(static_cast<std::size_t>(pairs))));
}

}  // namespace

void multiply_bfloat16(const MatmulItem& item) {
  const Matrix& w = item.group->weight;
  const std::int64_t outs = item.out_end - item.out_begin;
  const std::int64_t panels = (outs + panel_width - 1) / panel_width;
  constexpr std::int64_t panel_size = block_pairs * panel_width;
  std::uint32_t* x = pair_scratch(tile_rows_max * block_pairs + panels * panel_size);
  std::uint32_t* packed = x + tile_rows_max * block_pairs;
  const auto* weights = static_cast<const float*>(w.data);
  for (std::int64_t k0 = 0; k0 < w.in; k0 += block_k) {
    const std::int64_t count = std::min(block_k, w.in - k0);
    for (std::int64_t p = 0; p < panels; ++p) {
      const std::int64_t o = item.out_begin + p * panel_width;
      const std::int64_t left = std::min(panel_width, item.out_end - o);
      if (w.layout == Layout::out_in)
        pack_columns(weights + o * w.stride + k0, w.stride, count, left, packed + p * panel_size);
      else
        pack_rows(weights + k0 * w.stride + o, w.stride, count, left, packed + p * panel_size);
    }
    for (std::int64_t i = 0; i < tiles_of(item.rows()); ++i) {
      const std::int64_t t = item.row_begin + tile_begin(item.rows(), i);
      const std::int64_t rows = tile_begin(item.rows(), i + 1) - tile_begin(item.rows(), i);
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t k = 0; k < count; k += 2 * lanes)
          _mm512_storeu_si512(x + r * block_pairs + k / 2,
                              pairs_at(item.x(t + r) + k0 + k, count - k));
      const TileFunction multiply = tile_of<block_pairs>(rows);
      for (std::int64_t p = 0; p < panels; ++p) {
        const std::int64_t o = item.out_begin + p * panel_width;
        multiply({.x = x,
                  .pair_step = 1,
                  .panel = packed + p * panel_size,
                  .pairs = (count + 1) / 2,
                  .y = item.y(t) + o,
                  .y_stride = item.args->y_stride,
                  .outs = item.out_end - o,
                  .add = k0 != 0});
      }
    }
  }
}

void weight_grad_bfloat16(const WeightGradArgs& args, const WeightGradGroup& group,
                          std::int64_t begin, std::int64_t end) {
  const std::int64_t outs = end - begin;
  HERD_CHECK(outs <= bfloat16_outputs_max, "{} outputs", outs);
  // dY as it lies, [pairs, width]: the rows of a tile are neighbours.
  const std::int64_t width = (outs + panel_width - 1) / panel_width * panel_width;
  std::uint32_t* dy = pair_scratch(block_pairs * (width + panel_width));
  std::uint32_t* x = dy + block_pairs * width;
  for (std::int64_t row = group.row_begin; row < group.row_end; row += block_k) {
    const std::int64_t count = std::min(block_k, group.row_end - row), pairs = (count + 1) / 2;
    const float* from = args.dy + row * args.dy_stride + group.dy_column + begin;
    for (std::int64_t o = 0; o < outs; o += panel_width)
      pack_rows(from + o, args.dy_stride, count, outs - o, dy + o, width);
    for (std::int64_t column = 0; column < group.in; column += panel_width) {
      pack_rows(args.x + row * args.x_stride + column, args.x_stride, count, group.in - column, x);
      for (std::int64_t i = 0; i < tiles_of(outs); ++i) {
        const std::int64_t o = tile_begin(outs, i);
        tile_of<1>(tile_begin(outs, i + 1) -
                   o)({.x = dy + o,
                       .pair_step = width,
                       .panel = x,
                       .pairs = pairs,
                       .y = group.dw + (begin + o) * group.stride + column,
                       .y_stride = group.stride,
                       .outs = group.in - column,
                       .add = true});
      }
    }
  }
}

double bfloat16_chains(std::int64_t rounds) {
  constexpr int chains = 16;
  const auto factor = (__m512bh)_mm512_set1_epi32(0x3f003f00);  // a half
  __m512 sum[chains];
  HERD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = _mm512_set1_ps(static_cast<float>(c));
  for (std::int64_t i = 0; i < rounds; ++i) {
    HERD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = _mm512_dpbf16_ps(sum[c], factor, factor);
    HERD_UNROLL for (int c = 0; c < chains; ++c) asm volatile("" : "+v"(sum[c]));
  }
  return 4.0 * chains * lanes * static_cast<double>(rounds);
}

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

namespace herd::cpu {

bool has_bfloat16_products() {
  static const bool has = __builtin_cpu_supports("avx512bf16") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return has && chosen_instruction_set() == "AVX3";
}

}  // namespace herd::cpu

#else

namespace herd::cpu {

bool has_bfloat16_products() { return false; }
void multiply_bfloat16(const MatmulItem&) { HERD_CHECK(false, "no products in bfloat16"); }
void weight_grad_bfloat16(const WeightGradArgs&, const WeightGradGroup&, std::int64_t,
                          std::int64_t) {
  HERD_CHECK(false, "no products in bfloat16");
}
double bfloat16_chains(std::int64_t) { return 0; }

}  // namespace herd::cpu

#endif
