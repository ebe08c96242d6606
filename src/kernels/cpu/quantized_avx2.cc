// Quantized products with AVX2. Four products of bytes go through two sums of 16 bits, which the codes' ranges keep
// from saturating.
#include "kernels/cpu/quantized_product.h"

#if defined(__x86_64__)

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/cpu/quantized_extras.h"
#include "kernels/cpu/targets.h"
#include "kernels/grid_tables.h"
#include "kernels/packed_block.h"

#if defined(__GNUC__) && !defined(__clang__)
// Vector types lose attributes as template arguments; none of them matter here.
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

HWY_PUSH_ATTRIBUTES("avx2,fma,f16c,bmi,bmi2")
namespace herd::cpu {
namespace {

#include "kernels/cpu/quantized_256-inl.h"

struct S : Vectors256 {
  // Signed codes are up to 128 in magnitude: as magnitudes times inputs that take the codes' signs, two products are at
  // most 2 * 128 * 127, which 16 bits hold.
  template <bool has_sign>
  static HWY_INLINE __m256i dot_half(__m256i sum, __m256i code, __m256i input) {
    if constexpr (has_sign) {
      code = _mm256_xor_si256(code, _mm256_set1_epi8(static_cast<char>(0x80)));
      input = _mm256_sign_epi8(input, code);
      code = _mm256_abs_epi8(code);
    }
    const __m256i pairs = _mm256_maddubs_epi16(code, input);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  template <bool has_sign>
  static HWY_INLINE I dot(I sum, I code, I input) {
    return {dot_half<has_sign>(sum.a, code.a, input.a), dot_half<has_sign>(sum.b, code.b, input.b)};
  }
  // Codes lose their offset of 128 above.
  template <int groups>
  static HWY_INLINE I start_of_signed(const QuantizedInputs&, int) {
    return zero();
  }
  template <bool fits>
  static HWY_INLINE I add_scaled(I total, I sum, I scale) {
    if constexpr (fits)
      return add(total, {_mm256_madd_epi16(sum.a, scale.a), _mm256_madd_epi16(sum.b, scale.b)});
    const __m256i a = _mm256_srai_epi32(_mm256_slli_epi32(scale.a, 16), 16);
    const __m256i b = _mm256_srai_epi32(_mm256_slli_epi32(scale.b, 16), 16);
    return add(total, {_mm256_mullo_epi32(sum.a, a), _mm256_mullo_epi32(sum.b, b)});
  }
  static HWY_INLINE I add_pairs(I sum, I a, const std::int16_t* p) {
    const I b = broadcast(p);
    return add(sum, {_mm256_madd_epi16(a.a, b.a), _mm256_madd_epi16(a.b, b.b)});
  }
};

#include "kernels/cpu/quantized_codes-inl.h"
#include "kernels/cpu/quantized_tile-inl.h"

}  // namespace

const QuantizedKernels quantized_avx2{"avx2", 256, quantize, multiply, dot_chains};

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

#endif
