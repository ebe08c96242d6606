#include "quant/fp8.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace herd::quant {

std::uint8_t f8_e4m3_of_f32(float value) {
  constexpr std::uint32_t nan = 0x7f, largest = 0x7e;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 24) & 0x80u, magnitude = bits & 0x7fffffffu;
  std::uint32_t code = nan;
  if (!std::isnan(value)) {
    if (std::fabs(value) < 0x1p-6f) {
      // Below the normal numbers steps are even; the highest of them rounds to the lowest normal one by itself.
      code = static_cast<std::uint32_t>(std::nearbyint(std::fabs(value) * 0x1p9f));
    } else {
      // Three bits of mantissa stay; a carry goes into the exponent, whose bias is 7 instead of 127.
      const std::uint32_t rounded = magnitude + 0x7ffffu + ((magnitude >> 20) & 1u);
      code = std::min((rounded >> 20) - (120u << 3), largest);
    }
  }
  return static_cast<std::uint8_t>(sign | code);
}

float encode_fp8_row(const float* from, std::int64_t n, std::uint8_t* to) {
  float top = 0;
  for (std::int64_t i = 0; i < n; ++i) top = std::max(top, std::fabs(from[i]));
  const float scale = top > 0 ? top / 448.0f : 1.0f;
  for (std::int64_t i = 0; i < n; ++i) to[i] = f8_e4m3_of_f32(from[i] / scale);
  return scale;
}

}  // namespace herd::quant
