// Blocks of 32 numbers with one scale: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, IQ4_NL, MXFP4. The 4-bit ones keep number i in the
// low half of byte i and number i + 16 in the high half of it.
#pragma once

#include <bit>

#include "quant/block.h"

namespace herd::quant {

// The levels of IQ4_NL and IQ4_XS: closer together around zero, where most weights are.
inline constexpr std::int8_t nonlinear_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                     1,    13,   25,  38,  53,  69,  89,  113};

// The values of FP4 E2M1, doubled to be whole.
inline constexpr std::int8_t fp4_levels_doubled[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                                       0, -1, -2, -3, -4, -6, -8, -12};

// x = d q, q in [-128, 127].
struct Q8_0 {
  static constexpr int size = 32;
  Half d;
  std::uint8_t q[32];
};

// x = d (q - 8)
struct Q4_0 {
  static constexpr int size = 32;
  Half d;
  std::uint8_t q[16];
};

// x = d q + m
struct Q4_1 {
  static constexpr int size = 32;
  Half d, m;
  std::uint8_t q[16];
};

// x = d (q - 16); the fifth bits lie apart, number i's in bit i of `high`.
struct Q5_0 {
  static constexpr int size = 32;
  Half d;
  std::uint8_t high[4];
  std::uint8_t q[16];
};

// x = d q + m
struct Q5_1 {
  static constexpr int size = 32;
  Half d, m;
  std::uint8_t high[4];
  std::uint8_t q[16];
};

// x = d nonlinear_levels[q]
struct IQ4_NL {
  static constexpr int size = 32;
  Half d;
  std::uint8_t q[16];
};

// x = 2^(e - 127) FP4(q): the MXFP4 of the OCP microscaling standard.
struct MXFP4 {
  static constexpr int size = 32;
  std::uint8_t e;
  std::uint8_t q[16];
};

// Number i of 32 in 16 bytes.
constexpr int nibble(const std::uint8_t* q, int i) { return i < 16 ? q[i] & 15 : q[i - 16] >> 4; }

constexpr int fifth_bit(const std::uint8_t* high, int i) {
  return ((high[i / 8] >> (i % 8)) & 1) << 4;
}

// Half of 2^(e - 127), since fp4_levels_doubled are twice their values.
constexpr float half_of_power(std::uint8_t e) {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1u) << 23);
}

constexpr void decode(const Q8_0& b, float* x) {
  const float d = to_float(b.d);
  for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(signed_byte(b.q[i]));
}

constexpr void decode(const Q4_0& b, float* x) {
  const float d = to_float(b.d);
  for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(nibble(b.q, i) - 8);
}

constexpr void decode(const Q4_1& b, float* x) {
  const float d = to_float(b.d), m = to_float(b.m);
  for (int i = 0; i < 32; ++i) {
    const float product = d * static_cast<float>(nibble(b.q, i));
    x[i] = product + m;
  }
}

constexpr void decode(const Q5_0& b, float* x) {
  const float d = to_float(b.d);
  for (int i = 0; i < 32; ++i)
    x[i] = d * static_cast<float>((nibble(b.q, i) | fifth_bit(b.high, i)) - 16);
}

constexpr void decode(const Q5_1& b, float* x) {
  const float d = to_float(b.d), m = to_float(b.m);
  for (int i = 0; i < 32; ++i) {
    const float product = d * static_cast<float>(nibble(b.q, i) | fifth_bit(b.high, i));
    x[i] = product + m;
  }
}

constexpr void decode(const IQ4_NL& b, float* x) {
  const float d = to_float(b.d);
  for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(nonlinear_levels[nibble(b.q, i)]);
}

constexpr void decode(const MXFP4& b, float* x) {
  const float d = half_of_power(b.e);
  for (int i = 0; i < 32; ++i) x[i] = d * static_cast<float>(fp4_levels_doubled[nibble(b.q, i)]);
}

}  // namespace herd::quant
