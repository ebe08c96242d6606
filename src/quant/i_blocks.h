// The I formats: blocks of 256 numbers, where groups of 4 or 8 numbers are one index into a grid of good vectors, the
// signs apart. IQ4_XS has no grid but 16 levels that are not evenly spaced.
#pragma once

#include "quant/block.h"
#include "quant/i_grids.h"
#include "quant/small_blocks.h"

namespace herd::quant {

struct IQ4_XS {
  static constexpr int size = 256;
  Half d;
  std::uint8_t scales_high[2];  // of groups of 32, 2 bits each
  std::uint8_t scales_low[4];   // 4 bits each
  std::uint8_t q[128];
};

struct IQ3_S {
  static constexpr int size = 256;
  Half d;
  std::uint8_t q[64];      // an index a group of 4
  std::uint8_t high[8];    // their ninth bits
  std::uint8_t signs[32];  // a bit a number, set where it is negative
  std::uint8_t scales[4];  // of groups of 32, 4 bits each
};

struct IQ3_XXS {
  static constexpr int size = 256;
  Half d;
  std::uint8_t q[64];
  std::uint8_t
      signs_and_scales[32];  // 32 bits a group of 32: four of 7 bits of signs, a scale of 4
};

struct IQ2_S {
  static constexpr int size = 256;
  Half d;
  std::uint8_t q[32];  // an index a group of 8
  std::uint8_t signs[32];
  std::uint8_t high[8];    // two bits more an index
  std::uint8_t scales[8];  // of groups of 16, 4 bits each
};

struct IQ2_XS {
  static constexpr int size = 256;
  Half d;
  std::uint8_t q[64];  // 16 bits a group of 8: 9 of index, 7 of signs
  std::uint8_t scales[8];
};

struct IQ2_XXS {
  static constexpr int size = 256;
  Half d;
  std::uint8_t
      q[64];  // 64 bits a group of 32: four indices of 8, four of 7 bits of signs, a scale of 4
};

struct IQ1_S {
  static constexpr int size = 256;
  Half d;
  std::uint8_t q[32];
  std::uint8_t high
      [16];  // 16 bits a group of 32: four times 3 bits of index, a scale of 3, the shift's sign
};

struct IQ1_M {
  static constexpr int size = 256;
  std::uint8_t q[32];
  std::uint8_t high[16];   // 4 bits an index: 3 of it, the shift's sign
  std::uint8_t scales[8];  // 3 bits a group of 16; the upper 4 bits of each 16 together are d
};

// Seven signs are written, and the eighth is such that their number is even.
constexpr unsigned with_even_sign(unsigned seven) {
  const unsigned parity = static_cast<unsigned>(std::popcount(seven)) & 1u;
  return seven | (parity << 7);
}

// Eight numbers of a grid of {8, 25, 43} with their signs.
constexpr void decode_eight_of_2(unsigned grid, unsigned signs, float scale, float* x) {
  for (int j = 0; j < 8; ++j) {
    const float value = scale * static_cast<float>(grid_2_levels[(grid >> (2 * j)) & 3]);
    x[j] = ((signs >> j) & 1) != 0 ? -value : value;
  }
}

template <class Levels>
constexpr void decode_four_of_3(unsigned grid, unsigned signs, float scale, const Levels& levels,
                                float* x) {
  for (int j = 0; j < 4; ++j) {
    const float value = scale * static_cast<float>(levels[(grid >> (3 * j)) & 7]);
    x[j] = ((signs >> j) & 1) != 0 ? -value : value;
  }
}

// Eight numbers of a grid of {-1, 0, 1}, shifted by an eighth to one side.
constexpr void decode_eight_of_1(unsigned grid, bool down, float scale, float* x) {
  for (int j = 0; j < 8; ++j) {
    const float value = static_cast<float>(static_cast<int>((grid >> (2 * j)) & 3) - 1);
    x[j] = scale * (value + (down ? -0.125f : 0.125f));
  }
}

constexpr int iq4_xs_scale(const IQ4_XS& b, int g) {
  const int low = (b.scales_low[g / 2] >> (g % 2 * 4)) & 15;
  const int high = static_cast<int>(u16_at(b.scales_high) >> (2 * g)) & 3;
  return (low | (high << 4)) - 32;
}

constexpr void decode(const IQ4_XS& b, float* x) {
  const float d = to_float(b.d);
  for (int g = 0; g < 8; ++g) {
    const float scale = d * static_cast<float>(iq4_xs_scale(b, g));
    for (int i = 0; i < 32; ++i)
      x[32 * g + i] = scale * static_cast<float>(nonlinear_levels[nibble(b.q + 16 * g, i)]);
  }
}

constexpr void decode(const IQ3_S& b, float* x) {
  const float d = to_float(b.d);
  for (int k = 0; k < 64; ++k) {  // groups of 4
    const int scale = (b.scales[k / 16] >> (k / 8 % 2 * 4)) & 15;
    const unsigned index = b.q[k] | ((b.high[k / 8] >> (k % 8)) & 1u) << 8;
    const unsigned signs = b.signs[k / 2] >> (k % 2 * 4);
    decode_four_of_3(iq3_s_grid[index], signs, d * static_cast<float>(1 + 2 * scale), iq3_s_levels,
                     x + 4 * k);
  }
}

constexpr void decode(const IQ3_XXS& b, float* x) {
  const float d = to_float(b.d);
  for (int g = 0; g < 8; ++g) {
    const std::uint32_t word = u32_at(b.signs_and_scales + 4 * g);
    const float scale = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
    for (int k = 0; k < 8; ++k) {
      const unsigned signs = with_even_sign((word >> (k / 2 * 7)) & 127u) >> (k % 2 * 4);
      decode_four_of_3(iq3_xxs_grid[b.q[8 * g + k]], signs, scale, iq3_xxs_levels,
                       x + 32 * g + 4 * k);
    }
  }
}

constexpr float quarter_scale(float d, unsigned scale) {
  return d * (0.5f + static_cast<float>(scale)) * 0.25f;
}

constexpr void decode(const IQ2_S& b, float* x) {
  const float d = to_float(b.d);
  for (int k = 0; k < 32; ++k) {  // groups of 8
    const unsigned scale = (b.scales[k / 4] >> (k / 2 % 2 * 4)) & 15u;
    const unsigned index = b.q[k] | ((b.high[k / 4] >> (k % 4 * 2)) & 3u) << 8;
    decode_eight_of_2(iq2_s_grid[index], b.signs[k], quarter_scale(d, scale), x + 8 * k);
  }
}

constexpr void decode(const IQ2_XS& b, float* x) {
  const float d = to_float(b.d);
  for (int k = 0; k < 32; ++k) {
    const unsigned scale = (b.scales[k / 4] >> (k / 2 % 2 * 4)) & 15u;
    const std::uint32_t word = u16_at(b.q + 2 * k);
    decode_eight_of_2(iq2_xs_grid[word & 511], with_even_sign(word >> 9), quarter_scale(d, scale),
                      x + 8 * k);
  }
}

constexpr void decode(const IQ2_XXS& b, float* x) {
  const float d = to_float(b.d);
  for (int g = 0; g < 8; ++g) {
    const std::uint32_t word = u32_at(b.q + 8 * g + 4);
    const float scale = quarter_scale(d, word >> 28);
    for (int k = 0; k < 4; ++k)
      decode_eight_of_2(iq2_xxs_grid[b.q[8 * g + k]], with_even_sign((word >> (7 * k)) & 127u),
                        scale, x + 32 * g + 8 * k);
  }
}

constexpr void decode(const IQ1_S& b, float* x) {
  const float d = to_float(b.d);
  for (int g = 0; g < 8; ++g) {
    const std::uint32_t word = u16_at(b.high + 2 * g);
    const float scale = d * static_cast<float>(2 * ((word >> 12) & 7) + 1);
    for (int k = 0; k < 4; ++k) {
      const unsigned index = b.q[4 * g + k] | ((word >> (3 * k)) & 7) << 8;
      decode_eight_of_1(iq1_grid[index], (word & 0x8000) != 0, scale, x + 32 * g + 8 * k);
    }
  }
}

constexpr float iq1_m_scale(const IQ1_M& b) {
  std::uint32_t bits = 0;
  for (int i = 0; i < 4; ++i) bits |= (u16_at(b.scales + 2 * i) >> 12) << (4 * i);
  return f32_of_f16(static_cast<std::uint16_t>(bits));
}

constexpr void decode(const IQ1_M& b, float* x) {
  const float d = iq1_m_scale(b);
  for (int k = 0; k < 32; ++k) {
    const std::uint32_t word = u16_at(b.scales + k / 8 * 2);
    const float scale = d * static_cast<float>(2 * ((word >> (k / 2 % 4 * 3)) & 7) + 1);
    const unsigned high = (b.high[k / 2] >> (k % 2 * 4)) & 15u;
    decode_eight_of_1(iq1_grid[b.q[k] | (high & 7u) << 8], (high & 8u) != 0, scale, x + 8 * k);
  }
}

}  // namespace herd::quant
