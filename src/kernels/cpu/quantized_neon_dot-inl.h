// What quantized_neon-inl.h has, and the product of four signed bytes by four in each lane (SDOT). Included after it.

struct NeonDot : NeonVectors {
  template <bool has_sign>
  static HWY_INLINE uint32x4_t dot_part(uint32x4_t sum, uint32x4_t code, uint32x4_t input) {
    return word(vdotq_s32(numbers(sum), meant<has_sign>(code), signed_bytes(input)));
  }
  template <bool has_sign>
  static HWY_INLINE I dot(const I& sum, const I& code, const I& input) {
    return {dot_part<has_sign>(sum.a, code.a, input.a), dot_part<has_sign>(sum.b, code.b, input.b),
            dot_part<has_sign>(sum.c, code.c, input.c), dot_part<has_sign>(sum.d, code.d, input.d)};
  }
};
