// The inner product of everything: a tile of rows times a panel of decoded weights, side by side as vectors of outputs.
// Weights of either layout, and blocks of keys and values in attention, are packed into such panels first.
//
// A panel is [k, panel_width]; a packed tile of x is [row, block_k].
//
// clang-format off
#if defined(HERD_KERNELS_CPU_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_PANEL_INL_H_
#undef HERD_KERNELS_CPU_PANEL_INL_H_
#else
#define HERD_KERNELS_CPU_PANEL_INL_H_
#endif
// clang-format on

#include <hwy/cache_control.h>

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

// The blocks of k of every matrix product: within one, a sum is a chain of fused multiply-adds in the order of k that
// starts from zero; the chains are added in the order of their blocks. This, and nothing about tiles, targets or
// threads, decides the bits of a result.
inline constexpr std::int64_t block_k = 256;

inline constexpr bool many_registers =
    HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_NEON;

// Rows x vectors of outputs whose sums fit the registers, with room for the weights and one input.
inline constexpr int panel_vectors = 2;
inline constexpr std::int64_t panel_width = panel_vectors * lanes;
inline constexpr int tile_rows_max = many_registers ? 14 : 6;

// Packs inputs 0 .. count-1 of `outs` outputs (at most panel_width), which lie side by side in rows `stride` bytes
// apart.
template <class Weight>
HWY_INLINE void pack_rows(Bytes from, std::int64_t stride, std::int64_t count, std::int64_t outs,
                          float* HWY_RESTRICT panel) {
  const F32 d;
  if (outs == panel_width) {
    for (std::int64_t k = 0; k < count; ++k, from += stride, panel += panel_width)
      HERD_UNROLL for (int v = 0; v < panel_vectors; ++v)
          hn::Store(load_f32(Weight(), from + v * lanes * Weight::bytes), d, panel + v * lanes);
    return;
  }
  for (std::int64_t k = 0; k < count; ++k, from += stride, panel += panel_width)
    for (std::int64_t v = 0; v < panel_vectors; ++v) {
      const std::int64_t n = std::clamp<std::int64_t>(outs - v * lanes, 0, lanes);
      hn::Store(load_f32_part(Weight(), from + (n > 0 ? v * lanes * Weight::bytes : 0), n), d,
                panel + v * lanes);
    }
}

// The same for outputs whose rows, `stride` bytes apart, hold inputs side by side.
template <class Weight>
HWY_INLINE void pack_columns(Bytes from, std::int64_t stride, std::int64_t count, std::int64_t outs,
                             float* HWY_RESTRICT panel) {
  const F32 d;
  for (std::int64_t v = 0; v < panel_vectors; ++v, panel += lanes) {
    // Outputs beyond the last repeat it; nobody stores their sums.
    Bytes row[static_cast<std::size_t>(lanes)];
    for (std::int64_t i = 0; i < lanes; ++i)
      row[i] = from + std::min(v * lanes + i, outs - 1) * stride;
    Square square;
    std::int64_t k = 0;
    for (; k + square_k<Weight> <= count; k += square_k<Weight>) {
      load_square<Weight>(row, k * Weight::bytes, square);
      HERD_UNROLL for (int i = 0; i < static_cast<int>(square_k<Weight>); ++i)
          hn::Store(from_square<Weight>(square, i), d, panel + (k + i) * panel_width);
    }
    if (k < count) {
      load_square_part<Weight>(row, k * Weight::bytes, count - k, square);
      HERD_UNROLL for (int i = 0; i < static_cast<int>(square_k<Weight>); ++i) {
        if (k + i < count)
          hn::Store(from_square<Weight>(square, i), d, panel + (k + i) * panel_width);
      }
    }
  }
}

// Copies `count` floats to aligned memory, padded to whole vectors.
HWY_INLINE void pack_x(const float* from, std::int64_t count, float* HWY_RESTRICT to) {
  const F32 d;
  std::int64_t k = 0;
  for (; k + lanes <= count; k += lanes) hn::Store(hn::LoadU(d, from + k), d, to + k);
  if (k < count) hn::Store(load_part(from + k, count - k), d, to + k);
}

// y[r, o] (+)= sum over k < steps of x[r, k] * panel[k, o], for R rows and all outputs of the panel. Nothing is called
// while the sums live: a call anywhere in the function makes compilers keep them in memory, from the first to the last.
template <int R>
void whole_tile(const float* HWY_RESTRICT x, const float* HWY_RESTRICT panel, std::int64_t steps,
                float* HWY_RESTRICT y, std::int64_t y_stride, bool add) {
  const F32 d;
  Few<Few<V32, panel_vectors>, R> sum;
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int v = 0; v < panel_vectors; ++v) {
    // The results' lines come while the sums grow; stores that miss all at once would hold everything up.
    hwy::Prefetch(y + r * y_stride + v * lanes);
    sum[r][v] = hn::Zero(d);
  }

  for (std::int64_t k = 0; k < steps; ++k) {
    Few<V32, panel_vectors> weight;
    HERD_UNROLL for (int v = 0; v < panel_vectors; ++v) weight[v] =
        hn::Load(d, panel + k * panel_width + v * lanes);
    HERD_UNROLL for (int r = 0; r < R; ++r) {
      const V32 input = hn::Set(d, x[r * block_k + k]);
      HERD_UNROLL for (int v = 0; v < panel_vectors; ++v) sum[r][v] =
          hn::MulAdd(input, weight[v], sum[r][v]);
    }
  }
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int v = 0; v < panel_vectors; ++v) {
    float* to = y + r * y_stride + v * lanes;
    hn::StoreU(add ? hn::Add(hn::LoadU(d, to), sum[r][v]) : sum[r][v], d, to);
  }
}

// The same for the first `outs` outputs of the panel.
template <int R>
void tile(const float* HWY_RESTRICT x, const float* HWY_RESTRICT panel, std::int64_t steps,
          float* HWY_RESTRICT y, std::int64_t y_stride, std::int64_t outs, bool add) {
  if (outs == panel_width) return whole_tile<R>(x, panel, steps, y, y_stride, add);
  HWY_ALIGN float whole[static_cast<std::size_t>(R * panel_width)];
  whole_tile<R>(x, panel, steps, whole, panel_width, false);
  for (std::int64_t r = 0; r < R; ++r)
    for (std::int64_t o = 0; o < outs; ++o) {
      float& to = y[r * y_stride + o];
      to = add ? to + whole[r * panel_width + o] : whole[r * panel_width + o];
    }
}

using TileFunction = void (*)(const float*, const float*, std::int64_t, float*, std::int64_t,
                              std::int64_t, bool);

// tile<rows>.
inline TileFunction tile_of(std::int64_t rows) {
  static constexpr auto table = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array<TileFunction, sizeof...(R)>{tile<R + 1>...};
  }(std::make_integer_sequence<int, tile_rows_max>());
  return table[static_cast<std::size_t>(rows - 1)];
}

// Rows cut into tiles as even as possible: the rows of tile `i` of tiles_of(rows) begin at tile_begin(rows, i).
inline std::int64_t tiles_of(std::int64_t rows) {
  return (rows + tile_rows_max - 1) / tile_rows_max;
}
inline std::int64_t tile_begin(std::int64_t rows, std::int64_t i) {
  return rows * i / tiles_of(rows);
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
