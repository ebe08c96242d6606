// Blocks of 128 numbers with one scale: the int4 of Meta's Llama 4 code (llama-models, quantize_impls.py), which makes
// it of bf16 weights when a model is loaded. Groups run along a matrix's inputs, and the scale is a float32.
#pragma once

#include <bit>

#include "quant/block.h"

namespace herd::quant {

// What is smaller in a group counts as this: the scale is never zero.
inline constexpr float int4_smallest = 1e-6f;

// x = d (q - 8). Number i is in the low half of byte i / 2 where i is even, in the high half where it is odd: the order
// of bytes that compressed-tensors' "pack-quantized" has in its 32-bit words. Meta's own has q without the 8, as a
// number of four bits with a sign.
struct INT4 {
  static constexpr int size = 128;
  std::uint8_t d[4];
  std::uint8_t q[64];
};

constexpr void decode(const INT4& b, float* x) {
  const float d = std::bit_cast<float>(u32_at(b.d));
  for (int i = 0; i < 128; ++i) x[i] = d * static_cast<float>((b.q[i / 2] >> 4 * (i % 2) & 15) - 8);
}

}  // namespace herd::quant
