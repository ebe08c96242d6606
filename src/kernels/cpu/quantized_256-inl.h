// Vectors of 256 bits for quantized products, two where AVX-512 has one, so that all else is the same text: all but the
// products themselves. Included by files of quantized kernels within their namespace.

struct Vectors256 : QuantizedExtras {
  struct I {
    __m256i a, b;
  };
  struct F {
    __m256 a, b;
  };
  static constexpr int bands = 1;
  static constexpr int columns = 2;
  static constexpr int few_rows_max = 4;
  static constexpr int chains = 4;  // of two vectors each

  template <class Op>
  static HWY_INLINE I both(I v, Op op) {
    return {op(v.a), op(v.b)};
  }
  static HWY_INLINE I one(__m256i v) { return {v, v}; }
  static HWY_INLINE I bytes(int n) { return one(_mm256_set1_epi8(static_cast<char>(n))); }
  static HWY_INLINE __m128i sixteen(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
  }

  static HWY_INLINE I zero() { return one(_mm256_setzero_si256()); }
  static HWY_INLINE I load(const void* p) {
    const auto* v = static_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1)};
  }
  static HWY_INLINE void store(I v, void* p) {
    auto* to = static_cast<__m256i*>(p);
    _mm256_storeu_si256(to, v.a);
    _mm256_storeu_si256(to + 1, v.b);
  }
  static HWY_INLINE I broadcast(const void* p) {
    std::int32_t four;
    std::memcpy(&four, p, 4);
    return one(_mm256_set1_epi32(four));
  }
  static HWY_INLINE void keep(I& v) { asm volatile("" : "+x"(v.a), "+x"(v.b)); }

  static HWY_INLINE I bit_and(I a, I b) {
    return {_mm256_and_si256(a.a, b.a), _mm256_and_si256(a.b, b.b)};
  }
  static HWY_INLINE I bit_or(I a, I b) {
    return {_mm256_or_si256(a.a, b.a), _mm256_or_si256(a.b, b.b)};
  }
  static HWY_INLINE I bits(I v, int shift, int mask) {
    return bit_and({_mm256_srli_epi16(v.a, shift), _mm256_srli_epi16(v.b, shift)}, bytes(mask));
  }
  static HWY_INLINE I up(I v, int shift) {
    return {_mm256_slli_epi16(v.a, shift), _mm256_slli_epi16(v.b, shift)};
  }
  static HWY_INLINE I put_bits(I v, int from, int to, int mask) {
    return from >= to ? bits(v, from - to, mask) : bit_and(up(v, to - from), bytes(mask));
  }
  static HWY_INLINE I add_bytes(I v, int n) {
    const I add = bytes(n);
    return {_mm256_add_epi8(v.a, add.a), _mm256_add_epi8(v.b, add.b)};
  }
  static HWY_INLINE I flip_signs(I v) {
    const I flip = bytes(0x80);
    return {_mm256_xor_si256(v.a, flip.a), _mm256_xor_si256(v.b, flip.b)};
  }
  static HWY_INLINE I table(const std::int8_t* values, I index) {
    const __m256i t = _mm256_broadcastsi128_si256(sixteen(values));
    return {_mm256_shuffle_epi8(t, index.a), _mm256_shuffle_epi8(t, index.b)};
  }

  static HWY_INLINE I load_u8(const std::uint8_t* p) {
    const __m128i v = sixteen(p);
    return {_mm256_cvtepu8_epi32(v), _mm256_cvtepu8_epi32(_mm_srli_si128(v, 8))};
  }
  static HWY_INLINE I load_s8(const std::int8_t* p) {
    const __m128i v = sixteen(p);
    return {_mm256_cvtepi8_epi32(v), _mm256_cvtepi8_epi32(_mm_srli_si128(v, 8))};
  }
  static HWY_INLINE I lane_bits(I v, int shift, int mask) {
    return bit_and({_mm256_srli_epi32(v.a, shift), _mm256_srli_epi32(v.b, shift)},
                   one(_mm256_set1_epi32(mask)));
  }
  static HWY_INLINE I lane_up(I v, int shift) {
    return {_mm256_slli_epi32(v.a, shift), _mm256_slli_epi32(v.b, shift)};
  }
  static HWY_INLINE I lane_or(I a, I b) { return bit_or(a, b); }
  static HWY_INLINE I add(I a, I b) {
    return {_mm256_add_epi32(a.a, b.a), _mm256_add_epi32(a.b, b.b)};
  }
  static HWY_INLINE I lane_add(I v, int n) { return add(v, one(_mm256_set1_epi32(n))); }

  static HWY_INLINE I lane_xor(I a, I b) {
    return {_mm256_xor_si256(a.a, b.a), _mm256_xor_si256(a.b, b.b)};
  }
  static HWY_INLINE I load_u16(const std::uint16_t* p) {
    return {_mm256_cvtepu16_epi32(sixteen(p)), _mm256_cvtepu16_epi32(sixteen(p + 8))};
  }
  static HWY_INLINE I gather(const std::uint32_t* words, I index) {
    const int* table = static_cast<const int*>(static_cast<const void*>(words));
    return {_mm256_i32gather_epi32(table, index.a, 4), _mm256_i32gather_epi32(table, index.b, 4)};
  }
  static HWY_INLINE I lane_table(const std::uint32_t* words, I index) {
    return gather(words, index);
  }
  static HWY_INLINE I negate_bytes(I v, I m) {
    return {_mm256_sub_epi8(_mm256_xor_si256(v.a, m.a), m.a),
            _mm256_sub_epi8(_mm256_xor_si256(v.b, m.b), m.b)};
  }
  static HWY_INLINE I sum_bytes(I a, I b) {
    return {_mm256_add_epi8(a.a, b.a), _mm256_add_epi8(a.b, b.b)};
  }

  static HWY_INLINE F zero_f32() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static HWY_INLINE F load_f32(const void* from) {
    const auto* p = static_cast<const float*>(from);
    return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
  }
  static HWY_INLINE void store_f32(F v, void* to) {
    auto* p = static_cast<float*>(to);
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
  }
  static HWY_INLINE F broadcast_f32(const float* p) {
    return {_mm256_set1_ps(*p), _mm256_set1_ps(*p)};
  }
  static HWY_INLINE F load_f16(const std::uint16_t* p) {
    return {_mm256_cvtph_ps(sixteen(p)), _mm256_cvtph_ps(sixteen(p + 8))};
  }
  static HWY_INLINE F to_float(I v) { return {_mm256_cvtepi32_ps(v.a), _mm256_cvtepi32_ps(v.b)}; }
  static HWY_INLINE F mul(F a, F b) { return {_mm256_mul_ps(a.a, b.a), _mm256_mul_ps(a.b, b.b)}; }
  static HWY_INLINE F times(F a, float b) { return mul(a, broadcast_f32(&b)); }
  static HWY_INLINE F plus_product(F sum, F a, F b) {
    return {_mm256_fmadd_ps(a.a, b.a, sum.a), _mm256_fmadd_ps(a.b, b.b, sum.b)};
  }
  static HWY_INLINE F minus_product(F sum, F a, F b) {
    return {_mm256_fnmadd_ps(a.a, b.a, sum.a), _mm256_fnmadd_ps(a.b, b.b, sum.b)};
  }
  static HWY_INLINE __m256 half_power_half(__m256i e) {
    const __m256i normal = _mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(-1)), 23);
    const __m256i small = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    const __m256i is_small = _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e);
    return _mm256_castsi256_ps(_mm256_blendv_epi8(normal, small, is_small));
  }
  static HWY_INLINE F half_power(I e) { return {half_power_half(e.a), half_power_half(e.b)}; }
};
