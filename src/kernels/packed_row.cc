#include "kernels/packed_row.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/packed_grid_row.h"
#include "tensor/float_bits.h"

namespace herd {
namespace {

using Bytes = const std::uint8_t*;

std::uint16_t half_at(Bytes p) {
  return static_cast<std::uint16_t>(unsigned{p[0]} | unsigned{p[1]} << 8);
}
std::uint32_t word_at(Bytes p) { return half_at(p) | std::uint32_t{half_at(p + 2)} << 16; }
std::uint8_t byte_of(unsigned value) { return static_cast<std::uint8_t>(value & 0xff); }

// 16 bytes of nibbles: inputs 0..15 below, 16..31 above.
void read_nibbles(Bytes from, std::uint8_t* code) {
  for (int i = 0; i < 16; ++i) {
    code[i] = from[i] & 15;
    code[16 + i] = byte_of(unsigned{from[i]} >> 4);
  }
}

// Blocks of 32 with a scale each.
void read_32(DType dtype, Bytes p, int g, QuantizedRow& row) {
  std::uint8_t* code = row.code + g * 32;
  if (dtype == DType::mxfp4) {
    row.half_scale[g] = p[0];
    return read_nibbles(p + 1, code);
  }
  row.half_scale[g] = half_at(p);
  p += 2;
  if (dtype == DType::q8_0) {
    std::memcpy(code, p, 32);
    return;
  }
  if (dtype == DType::q4_1 || dtype == DType::q5_1) {
    row.half_min[g] = half_at(p);
    p += 2;
  }
  if (dtype == DType::q5_0 || dtype == DType::q5_1) {
    const std::uint32_t fifth = word_at(p);
    read_nibbles(p + 4, code);
    for (int i = 0; i < 32; ++i) code[i] = byte_of(code[i] | (fifth >> i & 1u) << 4);
    return;
  }
  read_nibbles(p, code);
}

// The twelve bytes of eight six-bit scales and eight six-bit minima.
void read_six_bit_pairs(Bytes p, QuantizedRow& row) {
  for (int g = 0; g < 8; ++g) {
    const bool early = g < 4;
    const unsigned scale = early ? p[g] & 63u : (p[g + 4] & 15u) | (unsigned{p[g - 4]} >> 6) << 4;
    const unsigned min =
        early ? p[g + 4] & 63u : (unsigned{p[g + 4]} >> 4) | (unsigned{p[g]} >> 6) << 4;
    row.scale[g] = static_cast<std::int16_t>(scale);
    row.min[g] = static_cast<std::int16_t>(min);
  }
}

void read_q4_k_or_q5_k(bool fifth, Bytes p, QuantizedRow& row) {
  row.d = half_at(p);
  row.dmin = half_at(p + 2);
  read_six_bit_pairs(p + 4, row);
  const Bytes high = p + 16, low = fifth ? p + 48 : p + 16;
  for (int k = 0; k < 256; ++k) {
    const int byte = k / 64 * 32 + k % 32, half = k / 32 % 2;
    unsigned code = unsigned{low[byte]} >> 4 * half & 15u;
    if (fifth) code |= (unsigned{high[k % 32]} >> k / 32 & 1u) << 4;
    row.code[k] = byte_of(code);
  }
}

void read_q6_k(Bytes p, QuantizedRow& row) {
  const Bytes low = p, high = p + 128;
  for (int k = 0; k < 256; ++k) {
    const int half = k / 128, quarter = k / 32 % 4;
    const unsigned nibble = unsigned{low[half * 64 + k % 64]} >> (quarter >= 2 ? 4 : 0) & 15u;
    const unsigned pair = unsigned{high[half * 32 + k % 32]} >> 2 * quarter & 3u;
    row.code[k] = byte_of(nibble | pair << 4);
  }
  for (int g = 0; g < 16; ++g) row.scale[g] = static_cast<std::int8_t>(p[192 + g]);
  row.d = half_at(p + 208);
}

unsigned pair_at(Bytes pairs, int k) {
  return unsigned{pairs[k / 128 * 32 + k % 32]} >> 2 * (k / 32 % 4) & 3u;
}

void read_q2_k(Bytes p, QuantizedRow& row) {
  for (int g = 0; g < 16; ++g) {
    row.scale[g] = p[g] & 15;
    row.min[g] = static_cast<std::int16_t>(p[g] >> 4);
  }
  for (int k = 0; k < 256; ++k) row.code[k] = byte_of(pair_at(p + 16, k));
  row.d = half_at(p + 80);
  row.dmin = half_at(p + 82);
}

void read_q3_k(Bytes p, QuantizedRow& row) {
  const Bytes third = p, scales = p + 96;
  for (int k = 0; k < 256; ++k)
    row.code[k] = byte_of(pair_at(p + 32, k) | (unsigned{third[k % 32]} >> k / 32 & 1u) << 2);
  for (int g = 0; g < 16; ++g) {
    const unsigned low = unsigned{scales[g % 8]} >> (g >= 8 ? 4 : 0) & 15u;
    const unsigned high = unsigned{scales[8 + g % 4]} >> 2 * (g / 4) & 3u;
    row.scale[g] = static_cast<std::int16_t>(low | high << 4);
  }
  row.d = half_at(p + 108);
}

void read_q8_k(Bytes p, QuantizedRow& row) {
  row.d32[0] = std::bit_cast<float>(word_at(p));
  std::memcpy(row.code, p + 4, 256);
}

// One group of 128: neighbours share a byte.
void read_int4(Bytes p, int g, QuantizedRow& row) {
  row.d32[g] = std::bit_cast<float>(word_at(p));
  std::uint8_t* code = row.code + 128 * g;
  for (int i = 0; i < 128; ++i) code[i] = byte_of(unsigned{p[4 + i / 2]} >> 4 * (i % 2) & 15u);
}

void read_iq4_xs(Bytes p, QuantizedRow& row) {
  row.d = half_at(p);
  const unsigned high = half_at(p + 2);
  for (int g = 0; g < 8; ++g) {
    const unsigned low = unsigned{p[4 + g / 2]} >> 4 * (g % 2) & 15u;
    row.scale[g] = static_cast<std::int16_t>(low | (high >> 2 * g & 3u) << 4);
    read_nibbles(p + 8 + 16 * g, row.code + 32 * g);
  }
}

// What a code stands for before scaling.
int value_of(DType dtype, std::uint8_t code) {
  switch (dtype) {
    case DType::q8_0:
    case DType::q8_k:
      return static_cast<std::int8_t>(code);
    case DType::q4_0:
    case DType::int4:
      return code - 8;
    case DType::q5_0:
      return code - 16;
    case DType::q6_k:
      return code - 32;
    case DType::q3_k:
      return code - 4;
    case DType::iq4_nl:
    case DType::iq4_xs:
      return iq4_values[code];
    case DType::mxfp4:
      return mxfp4_values[code];
    default:
      return code;
  }
}

// Half of the power of two that an exponent byte names: the values of mxfp4 are doubled.
float half_power(unsigned exponent) {
  return std::bit_cast<float>(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
}

}  // namespace

void read_quantized_row(DType dtype, const std::uint8_t* source, std::int64_t blocks,
                        QuantizedRow& row) {
  const DTypeRow& format = row_of(dtype);
  if (format.block == 32) {
    for (int g = 0; g < blocks; ++g)
      read_32(dtype, source + static_cast<std::size_t>(g) * format.bytes, g, row);
    return;
  }
  if (dtype == DType::int4) {
    for (int g = 0; g < blocks; ++g)
      read_int4(source + static_cast<std::size_t>(g) * format.bytes, g, row);
    return;
  }
  if (has_grid_type(dtype)) return read_grid_row(dtype, source, row);
  switch (dtype) {
    case DType::q2_k:
      return read_q2_k(source, row);
    case DType::q3_k:
      return read_q3_k(source, row);
    case DType::q4_k:
    case DType::q5_k:
      return read_q4_k_or_q5_k(dtype == DType::q5_k, source, row);
    case DType::q6_k:
      return read_q6_k(source, row);
    case DType::q8_k:
      return read_q8_k(source, row);
    case DType::iq4_xs:
      return read_iq4_xs(source, row);
    default:
      HERD_CHECK(false, "no packed form of {}", format.name);
  }
}

void decode_quantized_row(DType dtype, const QuantizedRow& row, float* to) {
  if (has_grid_type(dtype)) return decode_grid_row(dtype, row, to);
  const float d = f32_of_f16(row.d), dmin = f32_of_f16(row.dmin);
  for (int k = 0; k < packed_inputs; ++k) {
    const int g16 = k / 16, g32 = k / 32;
    const auto value = static_cast<float>(value_of(dtype, row.code[k]));
    switch (dtype) {
      case DType::q8_k:
        to[k] = row.d32[0] * value;
        break;
      case DType::int4:
        to[k] = row.d32[k / 128] * value;
        break;
      case DType::mxfp4:
        to[k] = half_power(row.half_scale[g32]) * value;
        break;
      case DType::q4_1:
      case DType::q5_1:
        to[k] = value * f32_of_f16(row.half_scale[g32]) + f32_of_f16(row.half_min[g32]);
        break;
      case DType::q2_k:
        to[k] = d * row.scale[g16] * value - dmin * row.min[g16];
        break;
      case DType::q4_k:
      case DType::q5_k:
        to[k] = d * row.scale[g32] * value - dmin * row.min[g32];
        break;
      case DType::q6_k:
        to[k] = d * row.scale[g16] * value;
        break;
      case DType::q3_k:
        to[k] = d * static_cast<float>(row.scale[g16] - 32) * value;
        break;
      case DType::iq4_xs:
        to[k] = d * static_cast<float>(row.scale[g32] - 32) * value;
        break;
      default:
        to[k] = f32_of_f16(row.half_scale[g32]) * value;
    }
  }
}

}  // namespace herd
