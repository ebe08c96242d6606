// The vectors of quantized products with NEON: four of 128 bits where AVX-512 has one, so that all else is the same
// text. Included by quantized_neon.cc, quantized_neon_dotprod.cc and quantized_neon_i8mm.cc within their namespace; the
// class S that each derives says how bytes are multiplied.
//
// Every ARMv8 processor has what is here. Products of signed bytes by signed bytes exist, so codes with a sign lose
// their offset of 128 before they are multiplied, and sums begin with zero.

struct NeonVectors : QuantizedExtras {
  // Bits without a meaning of their own.
  struct I {
    uint32x4_t a, b, c, d;
  };
  struct F {
    float32x4_t a, b, c, d;
  };
  static constexpr int bands = 1;
  // The sums of four rows and of their groups would fill all registers.
  static constexpr int few_rows_max = 2;
  static constexpr bool wants_16_bits = false;  // products of 32 bits are as quick

  template <class Op>
  static HWY_INLINE I map(const I& v, Op op) {
    return {op(v.a), op(v.b), op(v.c), op(v.d)};
  }
  template <class Op>
  static HWY_INLINE I map(const I& v, const I& w, Op op) {
    return {op(v.a, w.a), op(v.b, w.b), op(v.c, w.c), op(v.d, w.d)};
  }
  // The same bits in other sizes.
  static HWY_INLINE uint8x16_t bytes(uint32x4_t v) { return vreinterpretq_u8_u32(v); }
  static HWY_INLINE int8x16_t signed_bytes(uint32x4_t v) { return vreinterpretq_s8_u32(v); }
  static HWY_INLINE int32x4_t numbers(uint32x4_t v) { return vreinterpretq_s32_u32(v); }
  static HWY_INLINE uint32x4_t word(uint8x16_t v) { return vreinterpretq_u32_u8(v); }
  static HWY_INLINE uint32x4_t word(int32x4_t v) { return vreinterpretq_u32_s32(v); }
  static HWY_INLINE uint8x16_t all_bytes(int n) { return vdupq_n_u8(static_cast<std::uint8_t>(n)); }
  static HWY_INLINE int8x16_t shift_by(int n) { return vdupq_n_s8(static_cast<std::int8_t>(n)); }

  static HWY_INLINE I all(std::uint32_t n) {
    const uint32x4_t v = vdupq_n_u32(n);
    return {v, v, v, v};
  }
  static HWY_INLINE I zero() { return all(0); }
  static HWY_INLINE I load(const void* p) {
    const auto* from = static_cast<const std::uint8_t*>(p);
    return {word(vld1q_u8(from)), word(vld1q_u8(from + 16)), word(vld1q_u8(from + 32)),
            word(vld1q_u8(from + 48))};
  }
  static HWY_INLINE void store(const I& v, void* p) {
    auto* to = static_cast<std::uint8_t*>(p);
    vst1q_u8(to, bytes(v.a));
    vst1q_u8(to + 16, bytes(v.b));
    vst1q_u8(to + 32, bytes(v.c));
    vst1q_u8(to + 48, bytes(v.d));
  }
  static HWY_INLINE I broadcast(const void* p) {
    std::uint32_t four;
    std::memcpy(&four, p, 4);
    return all(four);
  }
  static HWY_INLINE void keep(I& v) {
    asm volatile("" : "+w"(v.a), "+w"(v.b), "+w"(v.c), "+w"(v.d));
  }

  // Bytes. Shifts by a vector of counts, because the counts are constants only once loops are unrolled.
  static HWY_INLINE I bits(const I& v, int shift, int mask) {
    return map(v, [&](uint32x4_t one) {
      return word(vandq_u8(vshlq_u8(bytes(one), shift_by(-shift)), all_bytes(mask)));
    });
  }
  static HWY_INLINE I put_bits(const I& v, int from, int to, int mask) {
    return map(v, [&](uint32x4_t one) {
      return word(vandq_u8(vshlq_u8(bytes(one), shift_by(to - from)), all_bytes(mask)));
    });
  }
  static HWY_INLINE I bit_or(const I& v, const I& w) {
    return map(v, w, [](uint32x4_t one, uint32x4_t other) { return vorrq_u32(one, other); });
  }
  static HWY_INLINE I add_bytes(const I& v, int n) {
    return map(v, [&](uint32x4_t one) { return word(vaddq_u8(bytes(one), all_bytes(n))); });
  }
  static HWY_INLINE I flip_signs(const I& v) {
    return map(v, [](uint32x4_t one) { return word(veorq_u8(bytes(one), all_bytes(0x80))); });
  }
  static HWY_INLINE I table(const std::int8_t* values, const I& index) {
    const uint8x16_t sixteen = vreinterpretq_u8_s8(vld1q_s8(values));
    return map(index, [&](uint32x4_t one) { return word(vqtbl1q_u8(sixteen, bytes(one))); });
  }
  static HWY_INLINE I negate_bytes(const I& v, const I& mask) {
    return map(v, mask, [](uint32x4_t one, uint32x4_t m) {
      return word(vsubq_u8(bytes(veorq_u32(one, m)), bytes(m)));
    });
  }
  static HWY_INLINE I sum_bytes(const I& v, const I& w) {
    return map(v, w, [](uint32x4_t one, uint32x4_t other) {
      return word(vaddq_u8(bytes(one), bytes(other)));
    });
  }

  // Lanes.
  static HWY_INLINE I load_u8(const std::uint8_t* p) {
    const uint8x16_t v = vld1q_u8(p);
    const uint16x8_t low = vmovl_u8(vget_low_u8(v)), high = vmovl_u8(vget_high_u8(v));
    return {vmovl_u16(vget_low_u16(low)), vmovl_u16(vget_high_u16(low)),
            vmovl_u16(vget_low_u16(high)), vmovl_u16(vget_high_u16(high))};
  }
  static HWY_INLINE I load_s8(const std::int8_t* p) {
    const int8x16_t v = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(v)), high = vmovl_s8(vget_high_s8(v));
    return {word(vmovl_s16(vget_low_s16(low))), word(vmovl_s16(vget_high_s16(low))),
            word(vmovl_s16(vget_low_s16(high))), word(vmovl_s16(vget_high_s16(high)))};
  }
  static HWY_INLINE I load_u16(const std::uint16_t* p) {
    const uint16x8_t low = vld1q_u16(p), high = vld1q_u16(p + 8);
    return {vmovl_u16(vget_low_u16(low)), vmovl_u16(vget_high_u16(low)),
            vmovl_u16(vget_low_u16(high)), vmovl_u16(vget_high_u16(high))};
  }
  static HWY_INLINE I lane_bits(const I& v, int shift, int mask) {
    const int32x4_t down = vdupq_n_s32(-shift);
    const uint32x4_t kept = vdupq_n_u32(static_cast<std::uint32_t>(mask));
    return map(v, [&](uint32x4_t one) { return vandq_u32(vshlq_u32(one, down), kept); });
  }
  static HWY_INLINE I lane_up(const I& v, int shift) {
    return map(v, [&](uint32x4_t one) { return vshlq_u32(one, vdupq_n_s32(shift)); });
  }
  static HWY_INLINE I lane_or(const I& v, const I& w) { return bit_or(v, w); }
  static HWY_INLINE I lane_xor(const I& v, const I& w) {
    return map(v, w, [](uint32x4_t one, uint32x4_t other) { return veorq_u32(one, other); });
  }
  static HWY_INLINE I add(const I& v, const I& w) {
    return map(v, w, [](uint32x4_t one, uint32x4_t other) { return vaddq_u32(one, other); });
  }
  static HWY_INLINE I lane_add(const I& v, int n) {
    return add(v, all(static_cast<std::uint32_t>(n)));
  }
  // A table of sixteen words is four vectors of bytes: byte j of word i is byte 4 i + j.
  static HWY_INLINE I lane_table(const std::uint32_t* words, const I& index) {
    const auto* p = static_cast<const std::uint8_t*>(static_cast<const void*>(words));
    const uint8x16x4_t all_words = {
        {vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)}};
    return map(index, [&](uint32x4_t one) {
      const uint32x4_t places = vmlaq_n_u32(vdupq_n_u32(0x03020100u), one, 0x04040404u);
      return word(vqtbl4q_u8(all_words, bytes(places)));
    });
  }
  static HWY_INLINE I gather(const std::uint32_t* words, const I& index) {
    return map(index, [&](uint32x4_t one) {
      uint32x4_t found = vdupq_n_u32(words[vgetq_lane_u32(one, 0)]);
      found = vld1q_lane_u32(words + vgetq_lane_u32(one, 1), found, 1);
      found = vld1q_lane_u32(words + vgetq_lane_u32(one, 2), found, 2);
      return vld1q_lane_u32(words + vgetq_lane_u32(one, 3), found, 3);
    });
  }

  // Codes as the signed numbers that they mean.
  template <bool has_sign>
  static HWY_INLINE int8x16_t meant(uint32x4_t code) {
    if constexpr (has_sign) return signed_bytes(word(veorq_u8(bytes(code), all_bytes(0x80))));
    return signed_bytes(code);  // below 32
  }
  template <int groups>
  static HWY_INLINE I start_of_signed(const QuantizedInputs&, int) {
    return zero();
  }
  static HWY_INLINE uint32x4_t add_scaled_part(uint32x4_t total, uint32x4_t sum, uint32x4_t scale) {
    const int32x4_t wide = vshrq_n_s32(numbers(vshlq_n_u32(scale, 16)), 16);
    return word(vmlaq_s32(numbers(total), numbers(sum), wide));
  }
  template <bool fits>
  static HWY_INLINE I add_scaled(const I& total, const I& sum, const I& scale) {
    return {add_scaled_part(total.a, sum.a, scale.a), add_scaled_part(total.b, sum.b, scale.b),
            add_scaled_part(total.c, sum.c, scale.c), add_scaled_part(total.d, sum.d, scale.d)};
  }
  static HWY_INLINE I add_pairs(const I& sum, const I& pairs, const std::int16_t* p) {
    const int16x8_t two = vreinterpretq_s16_u32(broadcast(p).a);
    const auto products = [&](uint32x4_t one) {
      const int16x8_t pair = vreinterpretq_s16_u32(one);
      return word(
          vpaddq_s32(vmull_s16(vget_low_s16(pair), vget_low_s16(two)), vmull_high_s16(pair, two)));
    };
    return add(sum, map(pairs, products));
  }

  // Floats.
  template <class Op>
  static HWY_INLINE F map(const F& v, const F& w, Op op) {
    return {op(v.a, w.a), op(v.b, w.b), op(v.c, w.c), op(v.d, w.d)};
  }
  static HWY_INLINE F all_f32(float x) {
    const float32x4_t v = vdupq_n_f32(x);
    return {v, v, v, v};
  }
  static HWY_INLINE F zero_f32() { return all_f32(0); }
  static HWY_INLINE F load_f32(const void* from) {
    const auto* p = static_cast<const float*>(from);
    return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
  }
  static HWY_INLINE void store_f32(const F& v, void* to) {
    auto* p = static_cast<float*>(to);
    vst1q_f32(p, v.a);
    vst1q_f32(p + 4, v.b);
    vst1q_f32(p + 8, v.c);
    vst1q_f32(p + 12, v.d);
  }
  static HWY_INLINE F broadcast_f32(const float* p) { return all_f32(*p); }
  static HWY_INLINE F load_f16(const std::uint16_t* p) {
    const float16x8_t low = vreinterpretq_f16_u16(vld1q_u16(p));
    const float16x8_t high = vreinterpretq_f16_u16(vld1q_u16(p + 8));
    return {vcvt_f32_f16(vget_low_f16(low)), vcvt_high_f32_f16(low),
            vcvt_f32_f16(vget_low_f16(high)), vcvt_high_f32_f16(high)};
  }
  static HWY_INLINE F to_float(const I& v) {
    return {vcvtq_f32_s32(numbers(v.a)), vcvtq_f32_s32(numbers(v.b)), vcvtq_f32_s32(numbers(v.c)),
            vcvtq_f32_s32(numbers(v.d))};
  }
  static HWY_INLINE F mul(const F& v, const F& w) {
    return map(v, w, [](float32x4_t one, float32x4_t other) { return vmulq_f32(one, other); });
  }
  static HWY_INLINE F times(const F& v, float x) { return mul(v, all_f32(x)); }
  static HWY_INLINE F plus_product(const F& sum, const F& v, const F& w) {
    return {vfmaq_f32(sum.a, v.a, w.a), vfmaq_f32(sum.b, v.b, w.b), vfmaq_f32(sum.c, v.c, w.c),
            vfmaq_f32(sum.d, v.d, w.d)};
  }
  static HWY_INLINE F minus_product(const F& sum, const F& v, const F& w) {
    return {vfmsq_f32(sum.a, v.a, w.a), vfmsq_f32(sum.b, v.b, w.b), vfmsq_f32(sum.c, v.c, w.c),
            vfmsq_f32(sum.d, v.d, w.d)};
  }
  static HWY_INLINE float32x4_t half_power_part(uint32x4_t e) {
    const uint32x4_t normal = vshlq_n_u32(vsubq_u32(e, vdupq_n_u32(1)), 23);
    const uint32x4_t small = vshlq_u32(vdupq_n_u32(0x00200000u), numbers(e));
    return vreinterpretq_f32_u32(vbslq_u32(vcltq_u32(e, vdupq_n_u32(2)), small, normal));
  }
  static HWY_INLINE F half_power(const I& e) {
    return {half_power_part(e.a), half_power_part(e.b), half_power_part(e.c), half_power_part(e.d)};
  }
};
