// Quantized products with AVX-512 VNNI (Cascade Lake and later). Intrinsics, because Debian 12's Highway has neither
// this instruction set nor four-by-four-byte products.
//
// Arithmetic of the design: 64 vpdpbusd multiply 16 outputs by 256 inputs. For q4_k, vpdpwssd multiplies a group's sum
// by its scale and adds it in one instruction where the sum fits 16 bits, which takes 8; minima take 4, and 5 make the
// float: 64 of 81 instructions on the vector units do the multiplying.
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
// GCC 12 sees the deliberately undefined inputs of its own intrinsics, and names attributes that a vector type loses as
// a template argument, none of which matter to it.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,bmi,bmi2")
namespace herd::cpu {
namespace {

// A shift count as either compiler declares it.
struct Count {
  int n;
  HWY_INLINE operator int() const { return n; }                              // NOLINT
  HWY_INLINE operator unsigned() const { return static_cast<unsigned>(n); }  // NOLINT
};

// Sixteen lanes of 32 bits, or 64 bytes.
struct S : QuantizedExtras {
  using I = __m512i;
  using F = __m512;
  static constexpr int bands = 2;    // of 16 outputs in a tile
  static constexpr int columns = 6;  // rows of x in a tile: 12 sums of groups, 12 of blocks
  static constexpr int few_rows_max = 12;
  static constexpr int chains = 16;

  static HWY_INLINE I zero() { return _mm512_setzero_si512(); }
  static HWY_INLINE __m128i sixteen(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }
  static HWY_INLINE I load(const void* p) { return _mm512_loadu_si512(p); }
  static HWY_INLINE void store(I v, void* p) { _mm512_storeu_si512(p, v); }
  // The four bytes at p in all lanes.
  static HWY_INLINE I broadcast(const void* p) {
    std::int32_t four;
    std::memcpy(&four, p, 4);
    return _mm512_set1_epi32(four);
  }
  static HWY_INLINE void keep(I& v) { asm volatile("" : "+v"(v)); }

  // Bytes.
  static HWY_INLINE I bits(I v, int shift, int mask) {
    return _mm512_and_si512(_mm512_srli_epi16(v, Count{shift}),
                            _mm512_set1_epi8(static_cast<char>(mask)));
  }
  // Every byte with its bit `from` as bit `to` and those above it behind, where `mask` (from bit `to` on) has ones.
  static HWY_INLINE I put_bits(I v, int from, int to, int mask) {
    const I moved = from >= to ? _mm512_srli_epi16(v, Count{from - to})
                               : _mm512_slli_epi16(v, Count{to - from});
    return _mm512_and_si512(moved, _mm512_set1_epi8(static_cast<char>(mask)));
  }
  static HWY_INLINE I bit_or(I a, I b) { return _mm512_or_si512(a, b); }
  static HWY_INLINE I add_bytes(I v, int n) {
    return _mm512_add_epi8(v, _mm512_set1_epi8(static_cast<char>(n)));
  }
  static HWY_INLINE I flip_signs(I v) {
    return _mm512_xor_si512(v, _mm512_set1_epi8(static_cast<char>(0x80)));
  }
  static HWY_INLINE I table(const std::int8_t* values, I index) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(sixteen(values)), index);
  }

  // Lanes.
  static HWY_INLINE I load_u8(const std::uint8_t* p) { return _mm512_cvtepu8_epi32(sixteen(p)); }
  static HWY_INLINE I load_s8(const std::int8_t* p) { return _mm512_cvtepi8_epi32(sixteen(p)); }
  static HWY_INLINE I lane_bits(I v, int shift, int mask) {
    return _mm512_and_si512(_mm512_srli_epi32(v, Count{shift}), _mm512_set1_epi32(mask));
  }
  static HWY_INLINE I lane_up(I v, int shift) { return _mm512_slli_epi32(v, Count{shift}); }
  static HWY_INLINE I lane_or(I a, I b) { return _mm512_or_si512(a, b); }
  static HWY_INLINE I lane_add(I v, int n) { return _mm512_add_epi32(v, _mm512_set1_epi32(n)); }

  static HWY_INLINE I lane_xor(I a, I b) { return _mm512_xor_si512(a, b); }
  static HWY_INLINE I load_u16(const std::uint16_t* p) {
    return _mm512_cvtepu16_epi32(
        _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(p))));
  }
  // The words of a table, each lane with an index of its own; of sixteen words, of any number.
  static HWY_INLINE I lane_table(const std::uint32_t* words, I index) {
    return _mm512_permutexvar_epi32(index, load(words));
  }
  static HWY_INLINE I gather(const std::uint32_t* words, I index) {
    return _mm512_i32gather_epi32(index, words, 4);
  }
  // -v where the mask's bytes are ones.
  static HWY_INLINE I negate_bytes(I v, I mask) {
    return _mm512_sub_epi8(_mm512_xor_si512(v, mask), mask);
  }
  static HWY_INLINE I sum_bytes(I a, I b) { return _mm512_add_epi8(a, b); }

  // sum + the four products of unsigned and signed bytes in each lane.
  template <bool has_sign>
  static HWY_INLINE I dot(I sum, I code, I input) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(code), "v"(input));
    return sum;
  }
  static constexpr bool has_dot_with = true;
  // The same with the four bytes at p in all lanes.
  template <bool has_sign>
  static HWY_INLINE I dot_with(I sum, I code, const void* p) {
    asm("vpdpbusd %2%{1to16%}, %1, %0"
        : "+v"(sum)
        : "v"(code), "m"(*static_cast<const std::int32_t*>(p)));
    return sum;
  }
  // Sums of products of `vectors` vectors of codes from each of two panels with those of six rows of x, which lie one
  // block (448 bytes) apart; those of signed codes begin with the numbers at `start`, also 448 bytes apart. In
  // assembly, because compilers copy registers here. An input is fetched once for both panels: on Zen 4 loads are
  // nearly as scarce as products.
  static constexpr bool has_two_by_six = true;
  template <int vectors, bool has_sign>
  static HWY_INLINE void two_by_six(const std::uint8_t* w0, const std::uint8_t* w1,
                                    const std::int8_t* x, const std::int32_t* start,
                                    I (&sum)[2][6]) {
    static_assert(sizeof(QuantizedInputs) == 448 && (vectors == 4 || vectors == 8));
    constexpr int step = 448;
    const std::int8_t* low = x + 448;
    const std::int8_t* high = x + 4 * 448;
#define HERD_COLUMN(i, row, pointer, at, c)                    \
  "vpbroadcastd " #row "+" #i "*4(%[" #pointer "]), %%zmm" #at \
  "\n"                                                         \
  "vpdpbusd %%zmm" #at ", %%zmm30, %[a" #c                     \
  "]\n"                                                        \
  "vpdpbusd %%zmm" #at ", %%zmm31, %[b" #c "]\n"
#define HERD_VECTOR(i)                                                     \
  "vmovdqa64 " #i                                                          \
  "*64(%[w0]), %%zmm30\n"                                                  \
  "vmovdqa64 " #i "*64(%[w1]), %%zmm31\n" HERD_COLUMN(i, -448, low, 28, 0) \
      HERD_COLUMN(i, 0, low, 29, 1) HERD_COLUMN(i, 448, low, 28, 2)        \
          HERD_COLUMN(i, -448, high, 29, 3) HERD_COLUMN(i, 0, high, 28, 4) \
              HERD_COLUMN(i, 448, high, 29, 5)
#define HERD_FOUR(i, j, k, l) HERD_VECTOR(i) HERD_VECTOR(j) HERD_VECTOR(k) HERD_VECTOR(l)
#define HERD_START(c, at)                      \
  "vpbroadcastd %c[" #at "](%[start]), %[a" #c \
  "]\n"                                        \
  "vmovdqa64 %[a" #c "], %[b" #c "]\n"
#define HERD_ZERO(c)                      \
  "vpxord %[a" #c "], %[a" #c "], %[a" #c \
  "]\n"                                   \
  "vpxord %[b" #c "], %[b" #c "], %[b" #c "]\n"
#define HERD_ZEROS HERD_ZERO(0) HERD_ZERO(1) HERD_ZERO(2) HERD_ZERO(3) HERD_ZERO(4) HERD_ZERO(5)
#define HERD_STARTS \
  HERD_START(0, s0) \
  HERD_START(1, s1) HERD_START(2, s2) HERD_START(3, s3) HERD_START(4, s4) HERD_START(5, s5)
#define HERD_OPERANDS                                                                        \
  : [a0] "=&v"(sum[0][0]), [a1] "=&v"(sum[0][1]), [a2] "=&v"(sum[0][2]),                    \
    [a3] "=&v"(sum[0][3]), [a4] "=&v"(sum[0][4]), [a5] "=&v"(sum[0][5]),                    \
    [b0] "=&v"(sum[1][0]), [b1] "=&v"(sum[1][1]), [b2] "=&v"(sum[1][2]),                    \
    [b3] "=&v"(sum[1][3]), [b4] "=&v"(sum[1][4]), [b5] "=&v"(sum[1][5])                     \
  : [w0] "r"(w0), [w1] "r"(w1), [low] "r"(low), [high] "r"(high), [start] "r"(start),              \
    [s0] "i"(0), [s1] "i"(step), [s2] "i"(2 * step), [s3] "i"(3 * step), [s4] "i"(4 * step), \
    [s5] "i"(5 * step)                         \
  : "memory", "xmm28", "xmm29", "xmm30", "xmm31"
    if constexpr (has_sign && vectors == 4)
      asm(HERD_STARTS HERD_FOUR(0, 1, 2, 3) HERD_OPERANDS);
    else if constexpr (has_sign)
      asm(HERD_STARTS HERD_FOUR(0, 1, 2, 3) HERD_FOUR(4, 5, 6, 7) HERD_OPERANDS);
    else if constexpr (vectors == 4)
      asm(HERD_ZEROS HERD_FOUR(0, 1, 2, 3) HERD_OPERANDS);
    else
      asm(HERD_ZEROS HERD_FOUR(0, 1, 2, 3) HERD_FOUR(4, 5, 6, 7) HERD_OPERANDS);
#undef HERD_OPERANDS
#undef HERD_STARTS
#undef HERD_ZEROS
#undef HERD_FOUR
#undef HERD_ZERO
#undef HERD_START
#undef HERD_VECTOR
#undef HERD_COLUMN
  }
  template <int groups>
  static HWY_INLINE I start_of_signed(const QuantizedInputs& x, int g) {
    return broadcast(groups == 8 ? x.minus128_sum32 + g : x.minus128_sum16 + g);
  }
  // total + sum * scale. With `fits`, sum is its own low 16 bits, and the high half of scale is zero.
  template <bool fits>
  static HWY_INLINE I add_scaled(I total, I sum, I scale) {
    if constexpr (fits) {
      asm("vpdpwssd %2, %1, %0" : "+v"(total) : "v"(sum), "v"(scale));
      return total;
    }
    const I wide = _mm512_srai_epi32(_mm512_slli_epi32(scale, 16), 16);
    return _mm512_add_epi32(total, _mm512_mullo_epi32(sum, wide));
  }
  // sum + the two products of 16-bit numbers in each lane with the two at p.
  static HWY_INLINE I add_pairs(I sum, I pairs, const std::int16_t* p) {
    asm("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(pairs), "m"(p[0]), "m"(p[1]));
    return sum;
  }

  // Floats.
  static HWY_INLINE F zero_f32() { return _mm512_setzero_ps(); }
  static HWY_INLINE F load_f32(const void* p) { return _mm512_loadu_ps(p); }
  static HWY_INLINE void store_f32(F v, void* p) { _mm512_storeu_ps(p, v); }
  static HWY_INLINE F broadcast_f32(const float* p) { return _mm512_set1_ps(*p); }
  static HWY_INLINE F load_f16(const std::uint16_t* p) {
    return _mm512_cvtph_ps(
        _mm256_loadu_si256(static_cast<const __m256i*>(static_cast<const void*>(p))));
  }
  static HWY_INLINE F to_float(I v) { return _mm512_cvtepi32_ps(v); }
  static HWY_INLINE F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static HWY_INLINE F times(F a, float b) { return _mm512_mul_ps(a, _mm512_set1_ps(b)); }
  static HWY_INLINE F plus_product(F sum, F a, F b) { return _mm512_fmadd_ps(a, b, sum); }
  static HWY_INLINE F minus_product(F sum, F a, F b) { return _mm512_fnmadd_ps(a, b, sum); }
  // 2^(e - 128), the smallest two of them subnormal.
  static HWY_INLINE F half_power(I e) {
    const I normal = _mm512_slli_epi32(lane_add(e, -1), 23);
    const I small = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    const __mmask16 is_small = _mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2));
    return _mm512_castsi512_ps(_mm512_mask_blend_epi32(is_small, normal, small));
  }
};

#include "kernels/cpu/quantized_codes-inl.h"
#include "kernels/cpu/quantized_tile-inl.h"

}  // namespace

const QuantizedKernels quantized_vnni512{"avx512_vnni", 512, quantize, multiply, dot_chains};

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

#endif
