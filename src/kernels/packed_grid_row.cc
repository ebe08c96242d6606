#include "kernels/packed_grid_row.h"

#include <cstring>

#include "base/check.h"
#include "kernels/grid_tables.h"
#include "quant/i_blocks.h"
#include "tensor/float_bits.h"

namespace herd {
namespace {

using Bytes = const std::uint8_t*;

std::uint16_t half_at(Bytes p) {
  return static_cast<std::uint16_t>(unsigned{p[0]} | unsigned{p[1]} << 8);
}
std::uint32_t word_at(Bytes p) { return half_at(p) | std::uint32_t{half_at(p + 2)} << 16; }
std::uint8_t byte_of(unsigned value) { return static_cast<std::uint8_t>(value & 0xff); }

// Adds bits to a byte, or to two or four in a row, that has none there yet.
void put(std::uint8_t* p, unsigned bits, int shift = 0) {
  for (std::uint64_t rest = std::uint64_t{bits} << shift; rest != 0; rest >>= 8, ++p)
    *p = static_cast<std::uint8_t>(*p | (rest & 0xff));
}

// Two bits: four indices and a word in turns. Three: all indices, then all words.
void read_iq2_or_iq3_xxs(bool three, Bytes p, QuantizedRow& row) {
  const int indices = three ? 8 : 4;
  row.d = half_at(p);
  for (int g = 0; g < 8; ++g) {
    for (int k = 0; k < indices; ++k) row.index[indices * g + k] = p[2 + 8 * g + k];
    const std::uint32_t word = word_at(three ? p + 66 + 4 * g : p + 6 + 8 * g);
    for (int k = 0; k < 4; ++k) row.sign[4 * g + k] = byte_of(word >> (7 * k) & 127u);
    row.scale[g] = static_cast<std::int16_t>(word >> 28);
  }
}

// Four-bit scales, two a byte.
void read_scale_nibbles(Bytes p, int groups, QuantizedRow& row) {
  for (int g = 0; g < groups; ++g)
    row.scale[g] = static_cast<std::int16_t>(p[g / 2] >> (4 * (g % 2)) & 15);
}

void read_iq2_xs(Bytes p, QuantizedRow& row) {
  row.d = half_at(p);
  for (int k = 0; k < 32; ++k) {
    const unsigned word = half_at(p + 2 + 2 * k);
    row.index[k] = static_cast<std::uint16_t>(word & 511u);
    row.sign[k] = byte_of(word >> 9);
  }
  read_scale_nibbles(p + 66, 16, row);
}

void read_iq2_s(Bytes p, QuantizedRow& row) {
  row.d = half_at(p);
  for (int k = 0; k < 32; ++k) {
    const unsigned high = unsigned{p[66 + k / 4]} >> (2 * (k % 4)) & 3u;
    row.index[k] = static_cast<std::uint16_t>(p[2 + k] | high << 8);
    row.sign[k] = p[34 + k];
  }
  read_scale_nibbles(p + 74, 16, row);
}

void read_iq3_s(Bytes p, QuantizedRow& row) {
  row.d = half_at(p);
  for (int k = 0; k < 64; ++k) {
    const unsigned high = unsigned{p[66 + k / 8]} >> (k % 8) & 1u;
    row.index[k] = static_cast<std::uint16_t>(p[2 + k] | high << 8);
  }
  std::memcpy(row.sign, p + 74, 32);
  read_scale_nibbles(p + 106, 8, row);
}

void read_iq1_s(Bytes p, QuantizedRow& row) {
  row.d = half_at(p);
  for (int g = 0; g < 8; ++g) {
    const unsigned word = half_at(p + 34 + 2 * g);
    row.scale[g] = static_cast<std::int16_t>(word >> 12 & 7u);
    for (int k = 4 * g; k < 4 * g + 4; ++k) {
      row.index[k] = static_cast<std::uint16_t>(p[2 + k] | (word >> (3 * (k % 4)) & 7u) << 8);
      row.sign[k] = byte_of(word >> 15);
    }
  }
}

void read_iq1_m(Bytes p, QuantizedRow& row) {
  unsigned d = 0;
  for (int i = 0; i < 4; ++i) d |= unsigned{half_at(p + 48 + 2 * i)} >> 12 << (4 * i);
  row.d = static_cast<std::uint16_t>(d);
  for (int k = 0; k < 32; ++k) {
    const unsigned high = unsigned{p[32 + k / 2]} >> (4 * (k % 2)) & 15u;
    row.index[k] = static_cast<std::uint16_t>(p[k] | (high & 7u) << 8);
    row.sign[k] = byte_of(high >> 3);
  }
  for (int g = 0; g < 16; ++g)
    row.scale[g] = static_cast<std::int16_t>(half_at(p + 48 + 2 * (g / 4)) >> (3 * (g % 4)) & 7);
}

void write_iq2_or_iq3_xxs(bool three, const QuantizedRow& row, std::uint8_t* p) {
  const int indices = three ? 8 : 4;
  put(p, row.d);
  for (int g = 0; g < 8; ++g) {
    for (int k = 0; k < indices; ++k) put(p + 2 + 8 * g + k, row.index[indices * g + k]);
    std::uint8_t* word = three ? p + 66 + 4 * g : p + 6 + 8 * g;
    for (int k = 0; k < 4; ++k) put(word, row.sign[4 * g + k] & 127u, 7 * k);
    put(word, static_cast<unsigned>(row.scale[g]), 28);
  }
}

void write_scale_nibbles(const QuantizedRow& row, int groups, std::uint8_t* p) {
  for (int g = 0; g < groups; ++g) put(p + g / 2, static_cast<unsigned>(row.scale[g]), 4 * (g % 2));
}

void write_iq2_xs(const QuantizedRow& row, std::uint8_t* p) {
  put(p, row.d);
  for (int k = 0; k < 32; ++k) put(p + 2 + 2 * k, row.index[k] | (row.sign[k] & 127u) << 9);
  write_scale_nibbles(row, 16, p + 66);
}

void write_iq2_s(const QuantizedRow& row, std::uint8_t* p) {
  put(p, row.d);
  for (int k = 0; k < 32; ++k) {
    put(p + 2 + k, row.index[k] & 255u);
    put(p + 34 + k, row.sign[k]);
    put(p + 66 + k / 4, unsigned{row.index[k]} >> 8, 2 * (k % 4));
  }
  write_scale_nibbles(row, 16, p + 74);
}

void write_iq3_s(const QuantizedRow& row, std::uint8_t* p) {
  put(p, row.d);
  for (int k = 0; k < 64; ++k) {
    put(p + 2 + k, row.index[k] & 255u);
    put(p + 66 + k / 8, unsigned{row.index[k]} >> 8, k % 8);
  }
  std::memcpy(p + 74, row.sign, 32);
  write_scale_nibbles(row, 8, p + 106);
}

void write_iq1_s(const QuantizedRow& row, std::uint8_t* p) {
  put(p, row.d);
  for (int g = 0; g < 8; ++g) {
    std::uint8_t* word = p + 34 + 2 * g;
    put(word, static_cast<unsigned>(row.scale[g]), 12);
    put(word, row.sign[4 * g] & 1u, 15);
    for (int k = 4 * g; k < 4 * g + 4; ++k) {
      put(p + 2 + k, row.index[k] & 255u);
      put(word, unsigned{row.index[k]} >> 8, 3 * (k % 4));
    }
  }
}

void write_iq1_m(const QuantizedRow& row, std::uint8_t* p) {
  for (int i = 0; i < 4; ++i) put(p + 48 + 2 * i, unsigned{row.d} >> (4 * i) & 15u, 12);
  for (int k = 0; k < 32; ++k) {
    put(p + k, row.index[k] & 255u);
    put(p + 32 + k / 2, unsigned{row.index[k]} >> 8 | (row.sign[k] & 1u) << 3, 4 * (k % 2));
  }
  for (int g = 0; g < 16; ++g)
    put(p + 48 + 2 * (g / 4), static_cast<unsigned>(row.scale[g]), 3 * (g % 4));
}

// The number of a grid's vector at k, its sign or shift included, in the units of the kernels' tables.
int grid_value(DType dtype, const QuantizedRow& row, int k) {
  const auto byte = [&](const auto& table, std::size_t entry) {
    return static_cast<int>(static_cast<std::int8_t>(table[entry] >> (8 * (k % 4)) & 0xffu));
  };
  const std::size_t eight = std::size_t{2} * row.index[k / 8] + static_cast<std::size_t>(k / 4 % 2);
  const unsigned signs = dtype == DType::iq2_s || dtype == DType::iq3_s
                             ? row.sign[k / 8]
                             : quant::with_even_sign(row.sign[k / 8] & 127u);
  const int sign = (signs >> (k % 8) & 1u) != 0 ? -1 : 1;
  switch (dtype) {
    case DType::iq2_xxs:
      return sign * byte(iq2_xxs_table, eight);
    case DType::iq2_xs:
      return sign * byte(iq2_xs_table, eight);
    case DType::iq2_s:
      return sign * byte(iq2_s_table, eight);
    case DType::iq3_xxs:
      return sign * byte(iq3_xxs_table, row.index[k / 4]);
    case DType::iq3_s:
      return sign * byte(iq3_s_table, row.index[k / 4]);
    default:
      return byte(iq1_table, eight) + ((row.sign[k / 8] & 1) != 0 ? -1 : 1);
  }
}

}  // namespace

void read_grid_row(DType dtype, const std::uint8_t* source, QuantizedRow& row) {
  switch (dtype) {
    case DType::iq2_xxs:
    case DType::iq3_xxs:
      return read_iq2_or_iq3_xxs(dtype == DType::iq3_xxs, source, row);
    case DType::iq2_xs:
      return read_iq2_xs(source, row);
    case DType::iq2_s:
      return read_iq2_s(source, row);
    case DType::iq3_s:
      return read_iq3_s(source, row);
    case DType::iq1_s:
      return read_iq1_s(source, row);
    case DType::iq1_m:
      return read_iq1_m(source, row);
    default:
      HERD_CHECK(false, "{} has no grid", row_of(dtype).name);
  }
}

void write_grid_row(DType dtype, const QuantizedRow& row, std::uint8_t* to) {
  switch (dtype) {
    case DType::iq2_xxs:
    case DType::iq3_xxs:
      return write_iq2_or_iq3_xxs(dtype == DType::iq3_xxs, row, to);
    case DType::iq2_xs:
      return write_iq2_xs(row, to);
    case DType::iq2_s:
      return write_iq2_s(row, to);
    case DType::iq3_s:
      return write_iq3_s(row, to);
    case DType::iq1_s:
      return write_iq1_s(row, to);
    case DType::iq1_m:
      return write_iq1_m(row, to);
    default:
      HERD_CHECK(false, "{} has no grid", row_of(dtype).name);
  }
}

void decode_grid_row(DType dtype, const QuantizedRow& row, float* to) {
  const bool sixteens = dtype == DType::iq2_xs || dtype == DType::iq2_s || dtype == DType::iq1_m;
  const float unit = dtype == DType::iq3_s ? 1.0f : dtype == DType::iq3_xxs ? 0.25f : 0.125f;
  const float d = f32_of_f16(row.d) * unit;
  for (int k = 0; k < packed_inputs; ++k) {
    const int scale = 2 * row.scale[k / (sixteens ? 16 : 32)] + 1;
    to[k] = d * static_cast<float>(scale) * static_cast<float>(grid_value(dtype, row, k));
  }
}

}  // namespace herd
