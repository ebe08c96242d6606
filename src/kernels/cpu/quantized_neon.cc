// Quantized products with the NEON of every ARMv8 processor, for those before the dot product (ARMv8.2): products of
// bytes through 16 bits, which hold the sum of two.
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

namespace herd::cpu {
namespace {

#include "kernels/cpu/quantized_neon-inl.h"

struct S : NeonVectors {
  static constexpr int columns = 2;
  static constexpr int chains = 4;

  // A code is at most 128 in magnitude and an input 127: two products are at most 32512.
  template <bool has_sign>
  static HWY_INLINE uint32x4_t dot_part(uint32x4_t sum, uint32x4_t code, uint32x4_t input) {
    const int8x16_t w = meant<has_sign>(code), x = signed_bytes(input);
    const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x)), high = vmull_high_s8(w, x);
    return word(vpadalq_s16(numbers(sum), vpaddq_s16(low, high)));
  }
  template <bool has_sign>
  static HWY_INLINE I dot(const I& sum, const I& code, const I& input) {
    return {dot_part<has_sign>(sum.a, code.a, input.a), dot_part<has_sign>(sum.b, code.b, input.b),
            dot_part<has_sign>(sum.c, code.c, input.c), dot_part<has_sign>(sum.d, code.d, input.d)};
  }
};

// Shifts take their counts from vectors, so panels are decoded in loops: written out, they take the compiler minutes.
#pragma push_macro("HERD_UNROLL")
#undef HERD_UNROLL
#define HERD_UNROLL
#include "kernels/cpu/quantized_codes-inl.h"
#pragma pop_macro("HERD_UNROLL")
#include "kernels/cpu/quantized_tile-inl.h"

}  // namespace

const QuantizedKernels quantized_neon{"neon", 128, quantize, multiply, dot_chains};

}  // namespace herd::cpu

#endif
