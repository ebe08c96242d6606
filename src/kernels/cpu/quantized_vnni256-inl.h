// Products of four bytes by four, and of two 16-bit numbers by two, in one instruction at 256 bits. Included after
// quantized_256-inl.h. HERD_DPBUSD and HERD_DPWSSD are the intrinsics of the encoding.

struct Vnni256 : Vectors256 {
  template <bool has_sign>
  static HWY_INLINE I dot(I sum, I code, I input) {
    return {HERD_DPBUSD(sum.a, code.a, input.a), HERD_DPBUSD(sum.b, code.b, input.b)};
  }
  // As in quantized_vnni512.cc.
  template <int groups>
  static HWY_INLINE I start_of_signed(const QuantizedInputs& x, int g) {
    return broadcast(groups == 8 ? x.minus128_sum32 + g : x.minus128_sum16 + g);
  }
  template <bool fits>
  static HWY_INLINE I add_scaled(I total, I sum, I scale) {
    if constexpr (fits)
      return {HERD_DPWSSD(total.a, sum.a, scale.a), HERD_DPWSSD(total.b, sum.b, scale.b)};
    const __m256i a = _mm256_srai_epi32(_mm256_slli_epi32(scale.a, 16), 16);
    const __m256i b = _mm256_srai_epi32(_mm256_slli_epi32(scale.b, 16), 16);
    return add(total, {_mm256_mullo_epi32(sum.a, a), _mm256_mullo_epi32(sum.b, b)});
  }
  static HWY_INLINE I add_pairs(I sum, I a, const std::int16_t* p) {
    const I b = broadcast(p);
    return {HERD_DPWSSD(sum.a, a.a, b.a), HERD_DPWSSD(sum.b, a.b, b.b)};
  }
};
