// C (+)= A B on one thread, for attention and the products of the way back: A is read number by number, so it may lie
// in any order (transposed for nothing), B and C are rows; B is float32 or bfloat16. Included once per instruction set.
//
// Every element of C is one chain of fused multiply-adds along k, so its bits do not depend on the tile it falls into.
#if defined(HERD_KERNELS_CPU_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_PRODUCT_INL_H_
#undef HERD_KERNELS_CPU_PRODUCT_INL_H_
#else
#define HERD_KERNELS_CPU_PRODUCT_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/cpu/targets.h"
#include "tensor/float_bits.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

template <class Number>
struct ProductOf {
  const float* a;  // A(m, k) = a[m * a_row + k * a_column]
  std::int64_t a_row, a_column;
  const Number* b;  // [K, N], rows b_stride apart; of 16 bits: bfloat16
  std::int64_t b_stride;
  float* c;  // [M, N], rows c_stride apart
  std::int64_t c_stride;
  std::int64_t M, N, K;
  bool add;  // to what C holds
};
using Product = ProductOf<float>;

inline auto load_numbers(const float* p) {
  return hwy::HWY_NAMESPACE::LoadU(hwy::HWY_NAMESPACE::ScalableTag<float>(), p);
}
inline auto load_numbers(const std::uint16_t* p) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> f;
  const hn::Rebind<std::uint16_t, decltype(f)> half;
  const hn::RebindToUnsigned<decltype(f)> wide;
  return hn::BitCast(f, hn::ShiftLeft<16>(hn::PromoteTo(wide, hn::LoadU(half, p))));
}
inline float number(float value) { return value; }
inline float number(std::uint16_t bits) { return f32_of_bf16(bits); }

inline constexpr std::int64_t product_rows =
    6;  // with four vectors of columns: 24 sums in registers

// Rows m .. m + R, columns n .. n + V vectors.
template <std::size_t R, std::size_t V, class Number>
void product_tile(const ProductOf<Number>& p, std::int64_t m, std::int64_t n) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::ScalableTag<float> f;
  using Vec = hn::Vec<decltype(f)>;
  const std::size_t lanes = hn::Lanes(f);
  const auto a_row = static_cast<std::size_t>(p.a_row);
  const auto c_stride = static_cast<std::size_t>(p.c_stride);
  const float* a = p.a + m * p.a_row;
  const Number* b = p.b + n;
  float* c = p.c + m * p.c_stride + n;
  Vec sum[R][V];
  HERD_UNROLL
  for (std::size_t r = 0; r < R; ++r) HERD_UNROLL
  for (std::size_t v = 0; v < V; ++v)
    sum[r][v] = p.add ? hn::LoadU(f, c + r * c_stride + v * lanes) : hn::Zero(f);
  for (std::int64_t k = 0; k < p.K; ++k, a += p.a_column, b += p.b_stride) {
    Vec row[V];
    HERD_UNROLL
    for (std::size_t v = 0; v < V; ++v) row[v] = load_numbers(b + v * lanes);
    HERD_UNROLL
    for (std::size_t r = 0; r < R; ++r) {
      const Vec x = hn::Set(f, a[r * a_row]);
      HERD_UNROLL
      for (std::size_t v = 0; v < V; ++v) sum[r][v] = hn::MulAdd(x, row[v], sum[r][v]);
    }
  }
  HERD_UNROLL
  for (std::size_t r = 0; r < R; ++r) HERD_UNROLL
  for (std::size_t v = 0; v < V; ++v) hn::StoreU(sum[r][v], f, c + r * c_stride + v * lanes);
}

template <std::size_t R, class Number>
void product_rows_of(const ProductOf<Number>& p, std::int64_t m) {
  namespace hn = hwy::HWY_NAMESPACE;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<float>()));
  std::int64_t n = 0;
  // Four vectors need 24 sums; where there are 16 registers, two leave room for what is multiplied.
  if constexpr (HWY_TARGET <= HWY_AVX3)
    for (; n + 4 * lanes <= p.N; n += 4 * lanes) product_tile<R, 4>(p, m, n);
  for (; n + 2 * lanes <= p.N; n += 2 * lanes) product_tile<R, 2>(p, m, n);
  for (; n + lanes <= p.N; n += lanes) product_tile<R, 1>(p, m, n);
  for (; n < p.N; ++n)
    for (std::int64_t r = m; r < m + static_cast<std::int64_t>(R); ++r) {
      float sum = p.add ? p.c[r * p.c_stride + n] : 0.0f;
      for (std::int64_t k = 0; k < p.K; ++k)
        sum = std::fma(p.a[r * p.a_row + k * p.a_column], number(p.b[k * p.b_stride + n]), sum);
      p.c[r * p.c_stride + n] = sum;
    }
}

template <class Number>
void multiply(const ProductOf<Number>& p) {
  std::int64_t m = 0;
  for (; m + product_rows <= p.M; m += product_rows) product_rows_of<product_rows>(p, m);
  switch (p.M - m) {
    case 5:
      return product_rows_of<5>(p, m);
    case 4:
      return product_rows_of<4>(p, m);
    case 3:
      return product_rows_of<3>(p, m);
    case 2:
      return product_rows_of<2>(p, m);
    case 1:
      return product_rows_of<1>(p, m);
    default:
      return;
  }
}

// For callers that write the factors in braces, which tell no type.
inline void product(const Product& p) { multiply(p); }

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
