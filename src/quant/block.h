// What the block formats share: numbers as bytes in little-endian order, so that a block has no alignment and lies as
// in its file. Plain C++20, so that device code can see it.
//
// The formats are those of ggml (ggml-common.h), as GGUF files keep them. Each decode() gives the very floats that the
// `gguf` Python package gives: sums and products in its order, never fused.
#pragma once

#include <cstdint>

#include "tensor/float_bits.h"

namespace herd::quant {

// IEEE half precision.
struct Half {
  std::uint8_t low, high;
};

constexpr float to_float(Half h) {
  return f32_of_f16(static_cast<std::uint16_t>(h.low | (h.high << 8)));
}

constexpr Half to_half(float value) {
  const std::uint16_t bits = f16_of_f32(value);
  return {static_cast<std::uint8_t>(bits & 0xff), static_cast<std::uint8_t>(bits >> 8)};
}

constexpr std::uint32_t u16_at(const std::uint8_t* p) {
  return static_cast<std::uint32_t>(p[0] | (p[1] << 8));
}

constexpr std::uint32_t u32_at(const std::uint8_t* p) { return u16_at(p) | (u16_at(p + 2) << 16); }

constexpr std::uint8_t byte_of(int value) { return static_cast<std::uint8_t>(value & 0xff); }

// The two's complement number that a byte holds.
constexpr int signed_byte(std::uint8_t b) { return b < 128 ? b : b - 256; }

}  // namespace herd::quant
