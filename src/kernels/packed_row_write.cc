// Integers back into the blocks of GGUF files: packed_row.cc read backwards.
#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/packed_grid_row.h"
#include "kernels/packed_row.h"

namespace herd {
namespace {

using Bytes = std::uint8_t*;

// Adds bits to a byte that has none there yet.
void put(std::uint8_t& byte, unsigned bits, int shift) {
  byte = static_cast<std::uint8_t>(byte | (bits << shift & 0xff));
}
void put_half(Bytes p, unsigned half) {
  put(p[0], half, 0);
  put(p[1], half >> 8, 0);
}
void put_word(Bytes p, std::uint32_t word) {
  put_half(p, word & 0xffff);
  put_half(p + 2, word >> 16);
}
unsigned low_bits(int value, int count) {
  return static_cast<unsigned>(value) & ((1u << count) - 1);
}

void put_nibbles(Bytes p, const std::uint8_t* code) {
  for (int i = 0; i < 16; ++i) put(p[i], (code[i] & 15u) | (code[16 + i] & 15u) << 4, 0);
}

// Blocks of 32 with a scale each.
void write_32(DType dtype, const QuantizedRow& row, int g, Bytes p) {
  const std::uint8_t* code = row.code + g * 32;
  if (dtype == DType::mxfp4) {
    put(p[0], row.half_scale[g], 0);
    return put_nibbles(p + 1, code);
  }
  put_half(p, row.half_scale[g]);
  p += 2;
  if (dtype == DType::q8_0) {
    std::memcpy(p, code, 32);
    return;
  }
  if (dtype == DType::q4_1 || dtype == DType::q5_1) {
    put_half(p, row.half_min[g]);
    p += 2;
  }
  if (dtype == DType::q5_0 || dtype == DType::q5_1) {
    std::uint32_t fifth = 0;
    for (int i = 0; i < 32; ++i) fifth |= (code[i] >> 4 & 1u) << i;
    put_word(p, fifth);
    p += 4;
  }
  put_nibbles(p, code);
}

void write_q4_k_or_q5_k(bool fifth, const QuantizedRow& row, Bytes p) {
  put_half(p, row.d);
  put_half(p + 2, row.dmin);
  const Bytes scales = p + 4;
  for (int g = 0; g < 4; ++g) {
    put(scales[g], low_bits(row.scale[g], 6), 0);
    put(scales[g], low_bits(row.scale[g + 4], 6) >> 4, 6);
    put(scales[g + 4], low_bits(row.min[g], 6), 0);
    put(scales[g + 4], low_bits(row.min[g + 4], 6) >> 4, 6);
    put(scales[g + 8], low_bits(row.scale[g + 4], 4), 0);
    put(scales[g + 8], low_bits(row.min[g + 4], 4), 4);
  }
  const Bytes high = p + 16, low = fifth ? p + 48 : p + 16;
  for (int k = 0; k < packed_inputs; ++k) {
    put(low[k / 64 * 32 + k % 32], row.code[k] & 15u, 4 * (k / 32 % 2));
    if (fifth) put(high[k % 32], row.code[k] >> 4 & 1u, k / 32);
  }
}

void write_q6_k(const QuantizedRow& row, Bytes p) {
  const Bytes low = p, high = p + 128;
  for (int k = 0; k < packed_inputs; ++k) {
    const int half = k / 128, quarter = k / 32 % 4;
    put(low[half * 64 + k % 64], row.code[k] & 15u, quarter >= 2 ? 4 : 0);
    put(high[half * 32 + k % 32], row.code[k] >> 4 & 3u, 2 * quarter);
  }
  for (int g = 0; g < 16; ++g) put(p[192 + g], low_bits(row.scale[g], 8), 0);
  put_half(p + 208, row.d);
}

void put_pair(Bytes pairs, int k, unsigned code) {
  put(pairs[k / 128 * 32 + k % 32], code & 3, 2 * (k / 32 % 4));
}

void write_q2_k(const QuantizedRow& row, Bytes p) {
  for (int g = 0; g < 16; ++g) {
    put(p[g], low_bits(row.scale[g], 4), 0);
    put(p[g], low_bits(row.min[g], 4), 4);
  }
  for (int k = 0; k < packed_inputs; ++k) put_pair(p + 16, k, row.code[k]);
  put_half(p + 80, row.d);
  put_half(p + 82, row.dmin);
}

void write_q3_k(const QuantizedRow& row, Bytes p) {
  const Bytes third = p, scales = p + 96;
  for (int k = 0; k < packed_inputs; ++k) {
    put_pair(p + 32, k, row.code[k]);
    put(third[k % 32], row.code[k] >> 2 & 1u, k / 32);
  }
  for (int g = 0; g < 16; ++g) {
    put(scales[g % 8], low_bits(row.scale[g], 4), g >= 8 ? 4 : 0);
    put(scales[8 + g % 4], low_bits(row.scale[g], 6) >> 4, 2 * (g / 4));
  }
  put_half(p + 108, row.d);
}

void write_q8_k(const QuantizedRow& row, Bytes p) {
  put_word(p, std::bit_cast<std::uint32_t>(row.d32[0]));
  std::memcpy(p + 4, row.code, packed_inputs);
  for (int g = 0; g < 16; ++g) {
    int sum = 0;
    for (int k = 0; k < 16; ++k) sum += static_cast<std::int8_t>(row.code[16 * g + k]);
    put_half(p + 4 + packed_inputs + 2 * g, low_bits(sum, 16));
  }
}

void write_int4(const QuantizedRow& row, int g, Bytes p) {
  put_word(p, std::bit_cast<std::uint32_t>(row.d32[g]));
  for (int i = 0; i < 128; ++i) put(p[4 + i / 2], row.code[128 * g + i] & 15u, 4 * (i % 2));
}

void write_iq4_xs(const QuantizedRow& row, Bytes p) {
  put_half(p, row.d);
  unsigned high = 0;
  for (int g = 0; g < 8; ++g) {
    high |= (low_bits(row.scale[g], 6) >> 4) << 2 * g;
    put(p[4 + g / 2], low_bits(row.scale[g], 4), 4 * (g % 2));
    put_nibbles(p + 8 + 16 * g, row.code + 32 * g);
  }
  put_half(p + 2, high);
}

}  // namespace

void write_quantized_row(DType dtype, const QuantizedRow& row, std::int64_t blocks,
                         std::uint8_t* to) {
  const DTypeRow& format = row_of(dtype);
  std::fill(to, to + blocks * static_cast<std::int64_t>(format.bytes), std::uint8_t{0});
  if (format.block == 32) {
    for (int g = 0; g < blocks; ++g)
      write_32(dtype, row, g, to + static_cast<std::size_t>(g) * format.bytes);
    return;
  }
  if (dtype == DType::int4) {
    for (int g = 0; g < blocks; ++g)
      write_int4(row, g, to + static_cast<std::size_t>(g) * format.bytes);
    return;
  }
  if (has_grid_type(dtype)) return write_grid_row(dtype, row, to);
  switch (dtype) {
    case DType::q2_k:
      return write_q2_k(row, to);
    case DType::q3_k:
      return write_q3_k(row, to);
    case DType::q4_k:
    case DType::q5_k:
      return write_q4_k_or_q5_k(dtype == DType::q5_k, row, to);
    case DType::q6_k:
      return write_q6_k(row, to);
    case DType::q8_k:
      return write_q8_k(row, to);
    case DType::iq4_xs:
      return write_iq4_xs(row, to);
    default:
      HERD_CHECK(false, "no packed form of {}", format.name);
  }
}

}  // namespace herd
