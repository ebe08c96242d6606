// What the tests and benchmarks of this folder share: files under tests/data, a checksum, pictures from a formula.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/file.h"
#include "media/image.h"

namespace herd::media::test {

inline std::string data_path(std::string_view name) {
  return std::string(HERD_ROOT "/tests/data/") + std::string(name);
}

// CRC-32 as zlib computes it, continued from `crc`.
inline std::uint32_t crc32(std::span<const std::uint8_t> bytes, std::uint32_t crc = 0) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> out{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      out[i] = i;
      for (int bit = 0; bit < 8; ++bit) out[i] = out[i] >> 1 ^ (out[i] & 1 ? 0xedb88320u : 0u);
    }
    return out;
  }();
  crc = ~crc;
  for (std::uint8_t byte : bytes) crc = crc >> 8 ^ table[(crc ^ byte) & 255];
  return ~crc;
}

// A 32-bit hash; the twin of `mixed` in tools/reference/make_preprocess.py.
inline std::uint32_t mixed(std::uint32_t n) {
  n ^= n >> 15;
  n *= 0x2c1b3c6du;
  n ^= n >> 12;
  n *= 0x297a2d39u;
  return n ^ n >> 15;
}

// Noise, a ramp, a ramp with grain, or hard edges by turns; the twin of `synthetic` there.
inline Image synthetic(std::int64_t width, std::int64_t height, std::uint32_t seed) {
  Image image{width, height, std::vector<std::uint8_t>(rgb_bytes(width, height))};
  auto to = image.rgb.begin();
  for (std::uint32_t y = 0; y < height; ++y) {
    for (std::uint32_t x = 0; x < width; ++x) {
      for (std::uint32_t c = 0; c < 3; ++c) {
        const std::uint32_t noise =
            mixed(x * 0x9e3779b1u + y * 0x85ebca77u + c * 0xc2b2ae3du + seed * 0x27d4eb2fu);
        const std::uint32_t ramp = (x * (seed % 7 + 1) + y * (seed % 5 + 1) + c * 80) >> seed % 3;
        const std::uint32_t edges = ((x >> 2 ^ y >> 3) & 1) * 200 + (noise & 31);
        const std::array kinds{noise, ramp, ramp + (noise & 31), edges};
        *to++ = static_cast<std::uint8_t>(kinds[seed % 4]);
      }
    }
  }
  return image;
}

}  // namespace herd::media::test
