// The K formats: blocks of 256 numbers, whose groups of 16 or 32 have small whole scales of their own, and the
// block one scale for those scales. Q4_K and Q5_K, Q2_K: x = d scale q - dmin minimum; Q3_K, Q6_K: x = d scale q, q
// about zero.
#pragma once

#include "quant/block.h"

namespace herd::quant {

struct Q2_K {
  static constexpr int size = 256;
  std::uint8_t scales[16];  // of groups of 16: scale in the low half, minimum in the high
  std::uint8_t q[64];
  Half d, dmin;
};

struct Q3_K {
  static constexpr int size = 256;
  std::uint8_t high[32];  // the third bits, clear where q is 4 less
  std::uint8_t q[64];
  std::uint8_t scales[12];  // of groups of 16, 6 bits each, 32 more than they are
  Half d;
};

struct Q4_K {
  static constexpr int size = 256;
  Half d, dmin;
  std::uint8_t scales[12];  // of groups of 32: 6 bits of scale, 6 of minimum
  std::uint8_t q[128];
};

struct Q5_K {
  static constexpr int size = 256;
  Half d, dmin;
  std::uint8_t scales[12];
  std::uint8_t high[32];
  std::uint8_t q[128];
};

struct Q6_K {
  static constexpr int size = 256;
  std::uint8_t low[128];
  std::uint8_t high[64];
  std::uint8_t scales[16];  // signed, of groups of 16
  Half d;
};

// Written by no converter for weights; ggml quantizes activations to it.
struct Q8_K {
  static constexpr int size = 256;
  std::uint8_t d[4];  // float32
  std::uint8_t q[256];
  std::uint8_t sums[32];  // of groups of 16, int16
};

// Bits of number i where bytes hold four numbers of 2 bits: 32 bytes hold 128 numbers, i % 128 / 32 chooses the bits.
constexpr int two_bits(const std::uint8_t* q, int i) {
  return (q[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
}

// ... and where they hold two of 4: 32 bytes hold 64 numbers.
constexpr int four_bits(const std::uint8_t* q, int i) {
  return (q[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4)) & 15;
}

// One bit of each number: byte i % 32 holds those of 8 numbers.
constexpr int one_bit(const std::uint8_t* q, int i) { return (q[i % 32] >> (i / 32)) & 1; }

// Q3_K's scale of group g of 16: low halves in 8 bytes, upper two bits in 4.
constexpr int q3_k_scale(const std::uint8_t* s, int g) {
  const int low = (s[g % 8] >> (g / 8 * 4)) & 15;
  const int high = (s[8 + g % 4] >> (g / 4 * 2)) & 3;
  return (low | (high << 4)) - 32;
}

// Q4_K's and Q5_K's scale and minimum of group g of 8. Of the last four groups the lower halves lie in bytes 8 to
// 11, the upper bits in the bytes of the first four.
constexpr int k_scale(const std::uint8_t* s, int g) {
  return g < 4 ? s[g] & 63 : (s[g + 4] & 15) | ((s[g - 4] >> 6) << 4);
}
constexpr int k_minimum(const std::uint8_t* s, int g) {
  return g < 4 ? s[g + 4] & 63 : (s[g + 4] >> 4) | ((s[g] >> 6) << 4);
}

constexpr int q6_k_number(const Q6_K& b, int i) {
  const int low = (b.low[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4)) & 15;
  return (low | (two_bits(b.high, i) << 4)) - 32;
}

constexpr void decode(const Q2_K& b, float* x) {
  const float d = to_float(b.d), dmin = to_float(b.dmin);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(b.scales[g] & 15);
    const float minimum = dmin * static_cast<float>(b.scales[g] >> 4);
    for (int i = 16 * g; i < 16 * g + 16; ++i) {
      const float product = scale * static_cast<float>(two_bits(b.q, i));
      x[i] = product - minimum;
    }
  }
}

constexpr void decode(const Q3_K& b, float* x) {
  const float d = to_float(b.d);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(q3_k_scale(b.scales, g));
    for (int i = 16 * g; i < 16 * g + 16; ++i)
      x[i] = scale * static_cast<float>(two_bits(b.q, i) - (one_bit(b.high, i) != 0 ? 0 : 4));
  }
}

constexpr void decode(const Q4_K& b, float* x) {
  const float d = to_float(b.d), dmin = to_float(b.dmin);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(k_scale(b.scales, g));
    const float minimum = dmin * static_cast<float>(k_minimum(b.scales, g));
    for (int i = 32 * g; i < 32 * g + 32; ++i) {
      const float product = scale * static_cast<float>(four_bits(b.q, i));
      x[i] = product - minimum;
    }
  }
}

constexpr void decode(const Q5_K& b, float* x) {
  const float d = to_float(b.d), dmin = to_float(b.dmin);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(k_scale(b.scales, g));
    const float minimum = dmin * static_cast<float>(k_minimum(b.scales, g));
    for (int i = 32 * g; i < 32 * g + 32; ++i) {
      const float product =
          scale * static_cast<float>(four_bits(b.q, i) | (one_bit(b.high, i) << 4));
      x[i] = product - minimum;
    }
  }
}

constexpr void decode(const Q6_K& b, float* x) {
  const float d = to_float(b.d);
  for (int g = 0; g < 16; ++g) {
    const float scale = d * static_cast<float>(signed_byte(b.scales[g]));
    for (int i = 16 * g; i < 16 * g + 16; ++i) x[i] = scale * static_cast<float>(q6_k_number(b, i));
  }
}

constexpr void decode(const Q8_K& b, float* x) {
  const float d = std::bit_cast<float>(u32_at(b.d));
  for (int i = 0; i < 256; ++i) x[i] = d * static_cast<float>(signed_byte(b.q[i]));
}

}  // namespace herd::quant
