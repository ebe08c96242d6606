// Products of some rows, as a batch of answers has them: more than the registers of
// matmul_few_rows-inl.h hold, too few to pay for weights that are turned about. Here the rows lie side
// by side in vectors, and a weight is one number for all of them: it is decoded as it lies in memory,
// a short run at a time into the first-level cache, and never shuffled. The order of sums is that of
// panel-inl.h.

// clang-format off
#if defined(HERD_KERNELS_CPU_MATMUL_SOME_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_MATMUL_SOME_ROWS_INL_H_
#undef HERD_KERNELS_CPU_MATMUL_SOME_ROWS_INL_H_
#else
#define HERD_KERNELS_CPU_MATMUL_SOME_ROWS_INL_H_
#endif
// clang-format on

#include <hwy/cache_control.h>

#include <algorithm>

#include "kernels/cpu/decode-inl.h"
#include "kernels/cpu/matmul_plan.h"
#include "kernels/cpu/panel-inl.h"
#include "kernels/cpu/transpose-inl.h"
#include "kernels/cpu/work.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

inline constexpr std::int64_t some_rows_max = 2 * lanes;

// Inputs of one run of decoded weights.
inline constexpr std::int64_t run_k = 64;

// Inputs that all outputs of an item meet before the next ones: V vectors of rows of them stay in the
// second-level cache.
template <int V>
inline constexpr std::int64_t stretch_k = 8192 / V;

// Outputs that V vectors of rows meet together: their sums fit one square, and with it the registers.
template <int V>
inline constexpr int outs_together = lanes < V ? 1 : static_cast<int>(lanes) / V;

// x of the item's rows for inputs [k0, k1), as [k1 - k0, V * lanes]: rows side by side, where rows
// beyond the last repeat it.
template <int V>
void turn_rows(const MatmulItem& item, std::int64_t k0, std::int64_t k1,
               float* HWY_RESTRICT turned) {
  constexpr std::int64_t width = V * lanes;
  const F32 d;
  for (std::int64_t v = 0; v < V; ++v) {
    Bytes row[static_cast<std::size_t>(lanes)];
    for (std::int64_t i = 0; i < lanes; ++i)
      row[i] = static_cast<Bytes>(static_cast<const void*>(
          item.x(std::min(item.row_begin + v * lanes + i, item.row_end - 1))));
    Square square;
    float* to = turned + v * lanes;
    std::int64_t k = k0;
    for (; k + lanes <= k1; k += lanes, to += lanes * width) {
      load_square<WeightF32>(row, k * WeightF32::bytes, square);
      HERD_UNROLL for (int i = 0; i < static_cast<int>(lanes); ++i)
          hn::Store(hn::BitCast(d, square[i]), d, to + i * width);
    }
    if (k < k1) {
      load_square_part<WeightF32>(row, k * WeightF32::bytes, k1 - k, square);
      for (int i = 0; k + i < k1; ++i) hn::Store(hn::BitCast(d, square[i]), d, to + i * width);
    }
  }
}

// One run of weights of one output.
template <class Weight>
HWY_INLINE void decode_run(Bytes from, float* HWY_RESTRICT to) {
  HERD_UNROLL for (int i = 0; i < static_cast<int>(run_k); i += static_cast<int>(lanes))
      hn::Store(load_f32(Weight(), from + i * Weight::bytes), F32(), to + i);
}

// The first `count` weights of one.
template <class Weight>
HWY_INLINE void decode_run(Bytes from, std::int64_t count, float* HWY_RESTRICT to) {
  for (std::int64_t i = 0; i < count; i += lanes)
    hn::Store(i + lanes <= count ? load_f32(Weight(), from + i * Weight::bytes)
                                 : load_f32_part(Weight(), from + i * Weight::bytes, count - i),
              F32(), to + i);
}

// Continues the chains by `count` inputs: x is [count, V * lanes], the weights of one input lie run_k
// apart. Addresses of weights are taken from the middle of four: their distances then fit one byte,
// and instructions are short enough to be read as fast as they are carried out.
template <int V, int R>
HWY_INLINE void add_inputs(const float* HWY_RESTRICT x, const float* HWY_RESTRICT weights,
                           int count, Few<Few<V32, V>, R>& chain) {
  constexpr int near = R < 4 ? R : 4;
  static_assert(R % near == 0);
  const F32 d;
  Few<const float*, R / near> middle;
  HERD_UNROLL for (int g = 0; g < R / near; ++g) {
    middle[g] = weights + (g * near + near / 2) * run_k;
    asm("" : "+r"(middle[g]));  // or compilers count from one pointer, with distances of four bytes
  }
  HERD_UNROLL for (int i = 0; i < count; ++i) {
    Few<V32, V> input;
    HERD_UNROLL for (int v = 0; v < V; ++v) input[v] = hn::Load(d, x + (i * V + v) * lanes);
    HERD_UNROLL for (int r = 0; r < R; ++r) {
      const V32 weight = hn::Set(d, middle[r / near][(r % near - near / 2) * run_k + i]);
      HERD_UNROLL for (int v = 0; v < V; ++v) chain[r][v] =
          hn::MulAdd(input[v], weight, chain[r][v]);
    }
  }
}

// The sums of R outputs over `count` inputs (at most block_k), to [R, V * lanes]. Their weights begin
// at row[r]. Those at next[r] are asked for meanwhile, a row's lines at a time: all at once they would
// hold everything up.
template <class Weight, int V, int R>
void sum_block(const Few<Bytes, R>& row, const Few<Bytes, R>& next, std::int64_t count,
               const float* HWY_RESTRICT x, float* HWY_RESTRICT run, float* HWY_RESTRICT sums) {
  constexpr std::int64_t width = V * lanes;
  constexpr int together = static_cast<int>(run_k) / R;
  const F32 d;
  Few<Few<V32, V>, R> chain;
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int v = 0; v < V; ++v) chain[r][v] =
      hn::Zero(d);
  for (std::int64_t k = 0; k < count; k += run_k) {
    const float* weights = run;
    if (count - k < run_k) {
      for (int r = 0; r < R; ++r)
        decode_run<Weight>(row[r] + k * Weight::bytes, count - k, run + r * run_k);
      for (std::int64_t i = k; i < count; ++i, x += width, ++weights)
        add_inputs<V, R>(x, weights, 1, chain);
      break;
    }
    HERD_UNROLL for (int r = 0; r < R; ++r)
        decode_run<Weight>(row[r] + k * Weight::bytes, run + r * run_k);
    for (int r = 0; r < R; ++r, x += together * width, weights += together) {
      for (std::int64_t line = 0; line < run_k * Weight::bytes; line += 64)
        hwy::Prefetch(next[r] + k * Weight::bytes + line);
      add_inputs<V, R>(x, weights, together, chain);
    }
  }
  HERD_UNROLL for (int r = 0; r < R; ++r) HERD_UNROLL for (int v = 0; v < V; ++v)
      hn::Store(chain[r][v], d, sums + r * width + v * lanes);
}

// Sums of R outputs, [R, V * lanes], to the rows of y.
template <int V, int R>
void store_sums(const MatmulItem& item, std::int64_t o, const float* HWY_RESTRICT sums) {
  constexpr std::int64_t width = V * lanes;
  const F32 d;
  const std::int64_t outs = std::min<std::int64_t>(R, item.out_end - o);
  for (std::int64_t v = 0; v < V; ++v) {
    // Lane t of vector r is output r of row t.
    Square square;
    HERD_UNROLL for (int r = 0; r < static_cast<int>(lanes); ++r) square[r] =
        hn::BitCast(U32(), r < R ? hn::Load(d, sums + r * width + v * lanes) : hn::Zero(d));
    transpose(square);
    HWY_ALIGN float rows[static_cast<std::size_t>(lanes * lanes)];
    HERD_UNROLL for (int t = 0; t < static_cast<int>(lanes); ++t)
        hn::Store(hn::BitCast(d, square[t]), d, rows + t * lanes);
    const std::int64_t first = item.row_begin + v * lanes;
    for (std::int64_t t = 0; t < std::min(lanes, item.row_end - first); ++t)
      std::copy_n(rows + t * lanes, outs, item.y(first + t) + o);
  }
}

template <class Weight, int V>
void multiply_some_rows_of(const MatmulItem& item) {
  constexpr int R = outs_together<V>;
  constexpr std::int64_t width = V * lanes;
  const F32 d;
  const Matrix& w = item.group->weight;
  const std::int64_t outs = (item.out_end - item.out_begin + R - 1) / R * R;
  const std::int64_t stretch = std::min(stretch_k<V>, w.in);
  // A run lies one page in front of x: what is read first of x then has the low address bits of what
  // was stored first of the run. Elsewhere loads wait for stores that they are mistaken for, and all
  // takes up to 1.6 times as long.
  constexpr std::int64_t page = 4096 / static_cast<std::int64_t>(sizeof(float));
  static_assert(R * run_k <= page);
  float* const run = scratch(static_cast<std::size_t>(page + (stretch + outs + R) * width));
  float* const turned = run + page;
  float* const block = turned + stretch * width;
  float* const sums = block + R * width;
  const auto rows_from = [&](std::int64_t o, std::int64_t k, Few<Bytes, R>& row) {
    for (int r = 0; r < R; ++r)
      row[r] = static_cast<Bytes>(w.data) +
               (std::min(item.out_begin + o + r, item.out_end - 1) * w.stride + k) * Weight::bytes;
  };
  Few<Bytes, R> row, next;
  for (std::int64_t k0 = 0; k0 < w.in; k0 += stretch) {
    const std::int64_t k1 = std::min(k0 + stretch, w.in);
    turn_rows<V>(item, k0, k1, turned);
    rows_from(0, k0, next);
    for (std::int64_t o = 0; o < outs; o += R) {
      float* sum = sums + o * width;
      for (std::int64_t k = k0; k < k1; k += block_k) {
        const std::int64_t end = std::min(k + block_k, k1);
        std::copy_n(next, R, row);
        if (end < k1)
          rows_from(o, end, next);
        else
          rows_from(o + R < outs ? o + R : 0, k0, next);
        sum_block<Weight, V, R>(row, next, end - k, turned + (k - k0) * width, run, block);
        for (std::int64_t i = 0; i < R * width; i += lanes) {
          const V32 part = hn::Load(d, block + i);
          hn::Store(k == 0 ? part : hn::Add(hn::Load(d, sum + i), part), d, sum + i);
        }
      }
      if (k1 == w.in) store_sums<V, R>(item, item.out_begin + o, sum);
    }
  }
}

// For Layout::out_in.
template <class Weight>
void multiply_some_rows(const MatmulItem& item) {
  if (item.rows() <= lanes) return multiply_some_rows_of<Weight, 1>(item);
  multiply_some_rows_of<Weight, 2>(item);
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
