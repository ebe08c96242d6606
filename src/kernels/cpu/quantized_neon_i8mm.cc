// Quantized products with i8mm (ARMv8.6; Neoverse V1 and N2 have it): SMMLA multiplies eight inputs of two outputs by
// those of two rows of x, twice the products of SDOT in one instruction. Weights that are decoded beforehand are laid
// out for it; few rows, which are decoded as they are multiplied and wait for memory, use SDOT.
#include "kernels/cpu/quantized_product.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <hwy/base.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/cpu/quantized_extras.h"
#include "kernels/cpu/targets.h"
#include "kernels/grid_tables.h"
#include "kernels/packed_block.h"

HWY_PUSH_ATTRIBUTES("arch=armv8.2-a+dotprod+i8mm")
namespace herd::cpu {
namespace {

#include "kernels/cpu/quantized_neon-inl.h"
#include "kernels/cpu/quantized_neon_dot-inl.h"

struct S : NeonDot {
  static constexpr int columns = 4;
  static constexpr int chains = 4;

  // Codes of inputs 4n .. 4n+3 and 4n+4 .. 4n+7 of 16 outputs become those of 4n .. 4n+7 of two outputs a vector, as
  // the numbers that they mean: 128 bytes.
  static constexpr bool pairs_inputs = true;
  template <bool has_sign>
  static HWY_INLINE void store_two(uint32x4_t even, uint32x4_t odd, std::int8_t* to) {
    vst1q_s8(to, meant<has_sign>(vzip1q_u32(even, odd)));
    vst1q_s8(to + 16, meant<has_sign>(vzip2q_u32(even, odd)));
  }
  template <bool has_sign>
  static HWY_INLINE void store_pair(const I& even, const I& odd, std::uint8_t* to) {
    auto* p = static_cast<std::int8_t*>(static_cast<void*>(to));
    store_two<has_sign>(even.a, odd.a, p);
    store_two<has_sign>(even.b, odd.b, p + 32);
    store_two<has_sign>(even.c, odd.c, p + 64);
    store_two<has_sign>(even.d, odd.d, p + 96);
  }
  // Sums of products of `vectors` vectors of codes with inputs [first, first + 4 * vectors) of C rows of x. A row that
  // has no neighbour is its own.
  template <int vectors, int C>
  static HWY_INLINE void paired(const std::uint8_t* code, const QuantizedInputs* x, int first,
                                I (&sum)[static_cast<std::size_t>(C)]) {
    constexpr int pairs = (C + 1) / 2;
    const auto* w = static_cast<const std::int8_t*>(static_cast<const void*>(code));
    int32x4_t products[static_cast<std::size_t>(pairs)][8];
    HERD_UNROLL for (int p = 0; p < pairs; ++p) HERD_UNROLL for (int i = 0; i < 8; ++i)
        products[p][i] = vdupq_n_s32(0);
    HERD_UNROLL for (int n = 0; n < vectors / 2; ++n) {
      int8x16_t input[static_cast<std::size_t>(pairs)];
      HERD_UNROLL for (int p = 0; p < pairs; ++p) {
        const int other = 2 * p + 1 < C ? 2 * p + 1 : 2 * p;
        input[p] = vcombine_s8(vld1_s8(x[2 * p].code + first + 8 * n),
                               vld1_s8(x[other].code + first + 8 * n));
      }
      HERD_UNROLL for (int i = 0; i < 8; ++i) {
        const int8x16_t weights = vld1q_s8(w + (8 * n + i) * 16);
        HERD_UNROLL for (int p = 0; p < pairs; ++p) products[p][i] =
            vmmlaq_s32(products[p][i], weights, input[p]);
      }
    }
    // A vector of products holds two outputs of two rows: x0 w0, x1 w0, x0 w1, x1 w1.
    HERD_UNROLL for (int c = 0; c < C; ++c) {
      const int32x4_t* of = products[c / 2];
      uint32x4_t four[4];
      HERD_UNROLL for (int i = 0; i < 4; ++i) four[i] = word(
          c % 2 == 0 ? vuzp1q_s32(of[2 * i], of[2 * i + 1]) : vuzp2q_s32(of[2 * i], of[2 * i + 1]));
      sum[c] = {four[0], four[1], four[2], four[3]};
    }
  }
};

// Shifts take their counts from vectors, so panels are decoded in loops: written out, they take the compiler minutes.
#pragma push_macro("HERD_UNROLL")
#undef HERD_UNROLL
#define HERD_UNROLL
#include "kernels/cpu/quantized_codes-inl.h"
#pragma pop_macro("HERD_UNROLL")
#include "kernels/cpu/quantized_tile-inl.h"

// As dot_chains(), with the instruction that most of the work is done by.
double mmla_chains(std::int64_t rounds) {
  constexpr int chains = 16;
  int32x4_t sum[chains];
  int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
  HERD_UNROLL for (int c = 0; c < chains; ++c) sum[c] = vdupq_n_s32(c);
  for (std::int64_t i = 0; i < rounds; ++i) HERD_UNROLL for (int c = 0; c < chains; ++c) {
      sum[c] = vmmlaq_s32(sum[c], a, b);
      asm volatile("" : "+w"(sum[c]));
    }
  return 2.0 * 32 * chains * static_cast<double>(rounds);
}

}  // namespace

const QuantizedKernels quantized_neon_i8mm{"neon_i8mm", 128, quantize, multiply, mmla_chains};

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

#endif
