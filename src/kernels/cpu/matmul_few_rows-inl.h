// Products of few rows: bound by the weights' way from memory, which are read once, in place, and never stored
// decoded. The order of sums is that of panel-inl.h.

// clang-format off
#if defined(HERD_KERNELS_CPU_MATMUL_FEW_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_MATMUL_FEW_ROWS_INL_H_
#undef HERD_KERNELS_CPU_MATMUL_FEW_ROWS_INL_H_
#else
#define HERD_KERNELS_CPU_MATMUL_FEW_ROWS_INL_H_
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

inline constexpr std::int64_t few_rows_max = many_registers ? 8 : 4;

// The x of R rows; rows beyond the item's last repeat it.
template <int R>
HWY_INLINE void rows_of(const MatmulItem& item, Few<const float*, R>& x) {
  HERD_UNROLL for (int r = 0; r < R; ++r) x[r] =
      item.x(std::min<std::int64_t>(item.row_begin + r, item.row_end - 1));
}

// Adds one square of weights to the chains of R rows.
template <class Weight, int R>
HWY_INLINE void add_square(const Square& square, const Few<const float*, R>& x, std::int64_t k,
                           std::int64_t left, Few<V32, R>& chain) {
  const F32 d;
  HERD_UNROLL for (int i = 0; i < static_cast<int>(square_k<Weight>); ++i) {
    if (i < left) {
      const V32 weight = from_square<Weight>(square, i);
      HERD_UNROLL for (int r = 0; r < R; ++r) chain[r] =
          hn::MulAdd(hn::Set(d, x[r][k + i]), weight, chain[r]);
    }
  }
}

// Rows of outputs: `lanes` of them are read side by side and turned into vectors of outputs in registers.
template <class Weight, int R>
void few_rows_out_in(const MatmulItem& item) {
  constexpr std::int64_t step = square_k<Weight>;
  static_assert(block_k % step == 0);
  const F32 d;
  const Matrix& w = item.group->weight;
  Few<const float*, R> x;
  rows_of<R>(item, x);
  for (std::int64_t o = item.out_begin; o < item.out_end; o += lanes) {
    Bytes row[static_cast<std::size_t>(lanes)];
    for (std::int64_t i = 0; i < lanes; ++i)
      row[i] =
          static_cast<Bytes>(w.data) + std::min(o + i, item.out_end - 1) * w.stride * Weight::bytes;
    Few<V32, R> total;
    HERD_UNROLL for (int r = 0; r < R; ++r) total[r] = hn::Zero(d);
    for (std::int64_t k0 = 0; k0 < w.in; k0 += block_k) {
      const std::int64_t k1 = std::min(k0 + block_k, w.in);
      Few<V32, R> chain;
      HERD_UNROLL for (int r = 0; r < R; ++r) chain[r] = hn::Zero(d);
      Square square;
      std::int64_t k = k0;
      for (; k + step <= k1; k += step) {
        load_square<Weight>(row, k * Weight::bytes, square);
        add_square<Weight, R>(square, x, k, step, chain);
      }
      if (k < k1) {
        load_square_part<Weight>(row, k * Weight::bytes, k1 - k, square);
        add_square<Weight, R>(square, x, k, k1 - k, chain);
      }
      HERD_UNROLL for (int r = 0; r < R; ++r) total[r] =
          k0 == 0 ? chain[r] : hn::Add(total[r], chain[r]);
    }
    const std::int64_t n = std::min(item.out_end - o, lanes);
    HERD_UNROLL for (int r = 0; r < R; ++r) {
      if (r < item.rows()) store_part(total[r], item.y(item.row_begin + r) + o, n);
    }
  }
}

// Continues the chains of R rows, [R, width] floats, by K inputs. `ahead` inputs exist after these K: their weights are
// asked for in advance, because the hardware's prefetchers stop at the end of each short run.
template <class Weight, int R, int K>
HWY_INLINE void add_inputs(const MatmulItem& item, const Few<const float*, R>& x, std::int64_t k,
                           std::int64_t width, std::int64_t ahead, float* HWY_RESTRICT chains) {
  const F32 d;
  const Matrix& w = item.group->weight;
  const std::int64_t outs = item.out_end - item.out_begin;
  Few<Bytes, K> row;
  Few<Bytes, K> next;
  HERD_UNROLL for (int i = 0; i < K; ++i) {
    row[i] = static_cast<Bytes>(w.data) + ((k + i) * w.stride + item.out_begin) * Weight::bytes;
    next[i] = row[i] + (i < ahead ? K * w.stride * Weight::bytes : 0);
  }
  for (std::int64_t o = 0; o < outs; o += lanes) {
    const bool whole = o + lanes <= outs;
    Few<V32, K> weight;
    HERD_UNROLL for (int i = 0; i < K; ++i) {
      Bytes from = row[i] + o * Weight::bytes;
      weight[i] = whole ? load_f32(Weight(), from) : load_f32_part(Weight(), from, outs - o);
      hwy::Prefetch(next[i] + o * Weight::bytes);
    }
    HERD_UNROLL for (int r = 0; r < R; ++r) {
      V32 chain = hn::Load(d, chains + r * width + o);
      HERD_UNROLL for (int i = 0; i < K; ++i) chain =
          hn::MulAdd(hn::Set(d, x[r][k + i]), weight[i], chain);
      hn::Store(chain, d, chains + r * width + o);
    }
  }
}

// Rows of inputs: a few of them at a time are walked from left to right, and the chains of all outputs wait in the
// first-level cache.
template <class Weight, int R>
void few_rows_in_out(const MatmulItem& item) {
  constexpr int together = 4;
  const std::int64_t in = item.group->weight.in;
  const std::int64_t outs = item.out_end - item.out_begin;
  const std::int64_t width = (outs + lanes - 1) / lanes * lanes;
  Few<const float*, R> x;
  rows_of<R>(item, x);
  float* chains = scratch(static_cast<std::size_t>(R * width));
  for (std::int64_t k0 = 0; k0 < in; k0 += block_k) {
    std::fill(chains, chains + R * width, 0.0f);
    const std::int64_t k1 = std::min(k0 + block_k, in);
    std::int64_t k = k0;
    for (; k + together <= k1; k += together)
      add_inputs<Weight, R, together>(item, x, k, width, in - k - together, chains);
    for (; k < k1; ++k) add_inputs<Weight, R, 1>(item, x, k, width, in - k - 1, chains);
    for (std::int64_t r = 0; r < item.rows(); ++r) {
      float* y = item.y(item.row_begin + r) + item.out_begin;
      const float* chain = chains + r * width;
      if (k0 == 0)
        std::copy(chain, chain + outs, y);
      else
        for (std::int64_t o = 0; o < outs; ++o) y[o] += chain[o];
    }
  }
}

template <class Weight, int R>
void multiply_few_rows_of(const MatmulItem& item) {
  if (item.group->weight.layout == Layout::out_in)
    few_rows_out_in<Weight, R>(item);
  else
    few_rows_in_out<Weight, R>(item);
}

template <class Weight>
void multiply_few_rows(const MatmulItem& item) {
  const std::int64_t rows = item.rows();
  if (rows == 1) return multiply_few_rows_of<Weight, 1>(item);
  if (rows == 2) return multiply_few_rows_of<Weight, 2>(item);
  if constexpr (few_rows_max == 4) return multiply_few_rows_of<Weight, 4>(item);
  if (rows <= 4) return multiply_few_rows_of<Weight, 4>(item);
  if (rows <= 6) return multiply_few_rows_of<Weight, 6>(item);
  multiply_few_rows_of<Weight, 8>(item);
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
