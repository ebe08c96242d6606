// The narrow floating-point formats as bits, one number at a time: the definition that vector code is tested against.
// Plain C++20, exact, no tables.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "tensor/dtype.h"

namespace herd {

// bfloat16 is the upper half of a float32.
constexpr float f32_of_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// Rounds to nearest, ties to even; NaN stays NaN (its quiet bit is set, so that truncation cannot make it infinite).
constexpr std::uint16_t bf16_of_f32(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// IEEE 754 binary16, subnormals and infinities included.
constexpr float f32_of_f16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu;
  const std::uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

// Rounds to nearest, ties to even; from 65520 on to infinity; NaN stays NaN.
constexpr std::uint16_t f16_of_f32(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
  if (magnitude < 0x38800000u) {
    // Subnormal: the sum with 1/2, whose last place is that of the subnormals, rounds where it should.
    const float sum = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(sum) - 0x3f000000u));
  }
  const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u) - 0x38000000u;
  return static_cast<std::uint16_t>(sign | (rounded >> 13));
}

// OCP 8-bit E4M3 ("FN"): no infinities, 0x7f and 0xff are NaN, the largest number is 448.
constexpr float f32_of_f8_e4m3(std::uint8_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x80u) << 24;
  const std::uint32_t exponent = (bits >> 3) & 0xfu;
  const std::uint32_t mantissa = bits & 7u;
  if ((bits & 0x7fu) == 0x7fu) return std::bit_cast<float>(sign | 0x7fc00000u);
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-9f;
    return sign != 0 ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 120) << 23) | (mantissa << 20));
}

// Element `index` of a block of numbers of a weight type (dtype_table's is_weight); 0 for the other types.
inline float element_as_f32(const void* data, DType dtype, std::int64_t index) {
  const auto* bytes = static_cast<const std::uint8_t*>(data) +
                      index * static_cast<std::int64_t>(row_of(dtype).bytes);
  if (dtype == DType::f8_e4m3) return f32_of_f8_e4m3(*bytes);
  if (dtype == DType::bf16 || dtype == DType::f16) {
    std::uint16_t half = 0;
    std::memcpy(&half, bytes, sizeof half);
    return dtype == DType::bf16 ? f32_of_bf16(half) : f32_of_f16(half);
  }
  float value = 0;
  if (dtype == DType::f32) std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace herd
