// A square of 32-bit lanes turned about its diagonal in registers, and weights loaded that way: rows of outputs become
// vectors of outputs.

// clang-format off
#if defined(HERD_KERNELS_CPU_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HERD_KERNELS_CPU_TRANSPOSE_INL_H_
#undef HERD_KERNELS_CPU_TRANSPOSE_INL_H_
#else
#define HERD_KERNELS_CPU_TRANSPOSE_INL_H_
#endif
// clang-format on

#include <hwy/highway.h>

#include "kernels/cpu/decode-inl.h"

HWY_BEFORE_NAMESPACE();
namespace herd::cpu {
namespace HWY_NAMESPACE {

using U32 = hn::ScalableTag<std::uint32_t>;
using VU32 = hn::Vec<U32>;

// `lanes` vectors of `lanes` lanes.
using Square = Few<VU32, static_cast<int>(lanes)>;

// square[i] lane j becomes square[j] lane i. Two steps inside blocks of 128 bits, then one or two between blocks.
HWY_INLINE void transpose(Square& square) {
#if HWY_TARGET == HWY_SCALAR
  (void)square;
#else
  const U32 d;
  const hn::Repartition<std::uint64_t, U32> d64;
  constexpr int n = static_cast<int>(lanes);
  // After this, square[4g + j] holds in block b what belongs into column 4b + j, for rows 4g .. 4g + 3.
  HERD_UNROLL for (int g = 0; g < n; g += 4) {
    const auto low01 = hn::BitCast(d64, hn::InterleaveLower(d, square[g], square[g + 1]));
    const auto high01 = hn::BitCast(d64, hn::InterleaveUpper(d, square[g], square[g + 1]));
    const auto low23 = hn::BitCast(d64, hn::InterleaveLower(d, square[g + 2], square[g + 3]));
    const auto high23 = hn::BitCast(d64, hn::InterleaveUpper(d, square[g + 2], square[g + 3]));
    square[g] = hn::BitCast(d, hn::InterleaveLower(d64, low01, low23));
    square[g + 1] = hn::BitCast(d, hn::InterleaveUpper(d64, low01, low23));
    square[g + 2] = hn::BitCast(d, hn::InterleaveLower(d64, high01, high23));
    square[g + 3] = hn::BitCast(d, hn::InterleaveUpper(d64, high01, high23));
  }
  if constexpr (n == 8) {
    HERD_UNROLL for (int j = 0; j < 4; ++j) {
      const VU32 a = square[j], b = square[4 + j];
      square[j] = hn::ConcatLowerLower(d, b, a);
      square[4 + j] = hn::ConcatUpperUpper(d, b, a);
    }
  }
  if constexpr (n == 16) {
    HERD_UNROLL for (int j = 0; j < 4; ++j) {
      const VU32 g0 = square[j], g1 = square[4 + j], g2 = square[8 + j], g3 = square[12 + j];
      const VU32 even01 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(g1), g0);
      const VU32 odd01 = hn::OddEvenBlocks(g1, hn::SwapAdjacentBlocks(g0));
      const VU32 even23 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(g3), g2);
      const VU32 odd23 = hn::OddEvenBlocks(g3, hn::SwapAdjacentBlocks(g2));
      square[j] = hn::ConcatLowerLower(d, even23, even01);
      square[4 + j] = hn::ConcatLowerLower(d, odd23, odd01);
      square[8 + j] = hn::ConcatUpperUpper(d, even23, even01);
      square[12 + j] = hn::ConcatUpperUpper(d, odd23, odd01);
    }
  }
#endif
}

// How many k one square of weights spans. Two numbers of bfloat16 travel as one lane: half the shuffles.
template <class Weight>
inline constexpr std::int64_t square_k = lanes;
template <>
inline constexpr std::int64_t square_k<WeightBf16> = 2 * lanes;

// Weights of `lanes` outputs, whose rows begin at row[0], row[1], ..., for square_k inputs from `offset` bytes on: what
// from_square() unpacks.
template <class Weight>
HWY_INLINE void load_square(const Bytes* row, std::int64_t offset, Square& square) {
  const U32 d;
  HERD_UNROLL for (int i = 0; i < static_cast<int>(lanes); ++i) {
    if constexpr (std::is_same_v<Weight, WeightBf16>)
      square[i] = load_any(d, row[i] + offset);
    else
      square[i] = hn::BitCast(d, load_f32(Weight(), row[i] + offset));
  }
  transpose(square);
}

// The same where only `left` < square_k inputs exist; the others are zero.
template <class Weight>
HWY_NOINLINE void load_square_part(const Bytes* row, std::int64_t offset, std::int64_t left,
                                   Square& square) {
  const U32 d;
  for (std::int64_t i = 0; i < lanes; ++i) {
    alignas(64) std::uint8_t copy[2 * HWY_MAX_BYTES] = {};
    copy_bytes(row[i] + offset, left * Weight::bytes, copy);
    if constexpr (std::is_same_v<Weight, WeightBf16>)
      square[i] = load_any(d, copy);
    else
      square[i] = hn::BitCast(d, load_f32(Weight(), copy));
  }
  transpose(square);
}

// The weights of `lanes` outputs for input k of a transposed square.
template <class Weight>
HWY_INLINE V32 from_square(const Square& square, int k) {
  const U32 d;
  if constexpr (std::is_same_v<Weight, WeightBf16>) {
    const VU32 pair = square[k / 2];
    return hn::BitCast(
        F32(), k % 2 == 0 ? hn::ShiftLeft<16>(pair) : hn::And(pair, hn::Set(d, 0xffff0000u)));
  } else {
    return hn::BitCast(F32(), square[k]);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace herd::cpu
HWY_AFTER_NAMESPACE();

#endif
