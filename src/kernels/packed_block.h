// How quantized weights lie in memory for the CPU: blocks of 16 outputs x 256 inputs. Each block has exactly the bytes
// that the same 16 x 256 weights have in a GGUF file, in another order, so nothing is lost and nothing is added.
//
// Codes are interleaved for the instruction that multiplies four bytes by four bytes into a 32-bit lane: vector n of a
// block (64 bytes) holds inputs 4n .. 4n+3 of output 0, then of output 1, and so on. Formats below eight bits spread
// such a vector over planes: Pairs keeps two bits of four vectors in one, Nibbles four bits of two, Bits one of eight.
// Scales of 16 outputs lie side by side.
//
// Plain C++20, no vectors: those who compute read planes with their own instructions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/packed_layout.h"

namespace herd {

inline constexpr int packed_vectors = packed_inputs / 4;

// One output's 256 weights, every field as an integer: what packing takes and gives back.
struct QuantizedRow {
  std::uint8_t code[packed_inputs];
  std::int16_t scale[16];       // integer scale of group g, where the format has them
  std::int16_t min[16];         // integer minimum of group g, where the format has them
  std::uint16_t d, dmin;        // half precision, of the whole row
  std::uint16_t half_scale[8];  // half precision, per 32 inputs; an exponent byte for mxfp4
  std::uint16_t half_min[8];
  float d32[2];  // of q8_k the first; of int4 one per 128 inputs
  // Of formats with grids, instead of codes: indices, 4 or 8 inputs each; of 8 inputs each, a bit where a number is
  // negative, or for the formats of one bit in the lowest place whether all are shifted down.
  std::uint16_t index[64];
  std::uint8_t sign[32];
};

// Codes of 16 outputs x 256 inputs.
struct Codes8 {
  static constexpr int bits = 8;
  std::uint8_t bytes[64][64];
};
struct Codes4 {
  static constexpr int bits = 4;
  std::uint8_t nibbles[32][64];  // low half: vectors with an even n / 8
};
struct Codes5 {
  static constexpr int bits = 5;
  std::uint8_t nibbles[32][64];
  std::uint8_t fifth[8][64];  // bit n % 8 of vector n / 8
};
struct Codes6 {
  static constexpr int bits = 6;
  std::uint8_t nibbles[32][64];
  std::uint8_t pairs[16][64];  // bits 2 (n % 4) and up of vector n / 4
};
struct Codes2 {
  static constexpr int bits = 2;
  std::uint8_t pairs[16][64];
};
struct Codes3 {
  static constexpr int bits = 3;
  std::uint8_t pairs[16][64];
  std::uint8_t third[8][64];
};

// One half-precision scale for every 32 inputs.
struct HalfScales {
  std::uint16_t d[8][16];
};
// The same with what is added to every weight.
struct HalfScalesMins {
  std::uint16_t d[8][16];
  std::uint16_t m[8][16];
};
// Six-bit scales and minima per 32 inputs (q4_k, q5_k). Low four bits: of the scale below, of the minimum above.
struct SixBitScalesMins {
  std::uint8_t low[8][16];
  std::uint8_t scale_high[2][16];  // bits 2 (g % 4) and up of group g / 4
  std::uint8_t min_high[2][16];
  std::uint16_t d[16];
  std::uint16_t dmin[16];
};
// Eight-bit scales per 16 inputs (q6_k).
struct ByteScales {
  std::int8_t scale[16][16];
  std::uint16_t d[16];
};
// Four-bit scales (below) and minima (above) per 16 inputs (q2_k).
struct NibbleScalesMins {
  std::uint8_t both[16][16];
  std::uint16_t d[16];
  std::uint16_t dmin[16];
};
// Six-bit scales per 16 inputs, 32 above what they mean (q3_k).
struct SixBitScales16 {
  std::uint8_t low[8][16];   // groups 2i below, 2i + 1 above
  std::uint8_t high[4][16];  // bits 2 (g % 4) and up of group g / 4
  std::uint16_t d[16];
};
// Six-bit scales per 32 inputs, 32 above what they mean (iq4_xs).
struct SixBitScales32 {
  std::uint8_t low[4][16];
  std::uint8_t high[2][16];
  std::uint16_t d[16];
};
// A power of two per 32 inputs (mxfp4).
struct ExponentScales {
  std::uint8_t e[8][16];
};
// One float32 for all 256 (q8_k).
struct RowScales {
  float d[16];
};

// One float32 per 128 inputs (int4).
struct GroupScales {
  float d[2][16];
};

// Grids: an index's low eight bits. Each format has its other bits where its file has them, side by side for all 16.
template <std::size_t inputs>
struct Indices {
  static constexpr int per_index = static_cast<int>(inputs);
  std::uint8_t low[256 / inputs][16];
};
// 32 bits per 32 inputs: four of seven bits of signs, a scale of four (iq2_xxs, iq3_xxs).
struct SignsScales {
  std::uint32_t word[8][16];
  std::uint16_t d[16];
};
// The ninth bit of an index below seven bits of signs; four-bit scales per 16 inputs (iq2_xs).
struct NinthSigns {
  std::uint8_t rest[32][16];
  std::uint8_t scale[8][16];
  std::uint16_t d[16];
};
// Two further bits of four indices each; signs; four-bit scales per 16 inputs (iq2_s).
struct TenthSigns {
  std::uint8_t high[8][16];
  std::uint8_t signs[32][16];
  std::uint8_t scale[8][16];
  std::uint16_t d[16];
};
// The ninth bits of eight indices each; signs; four-bit scales per 32 inputs (iq3_s).
struct NinthsSigns {
  std::uint8_t high[8][16];
  std::uint8_t signs[32][16];
  std::uint8_t scale[4][16];
  std::uint16_t d[16];
};
// Per 32 inputs: three further bits of four indices, a scale of three, whether numbers are shifted down (iq1_s).
struct EleventhShifts {
  std::uint16_t word[8][16];
  std::uint16_t d[16];
};
// Three further bits and a shift for two indices each; scales of three bits per 16 inputs, bit by bit (iq1_m).
struct EleventhsShifts {
  std::uint8_t high[16][16];
  std::uint16_t scale_bits[3][16];  // bit g: of group g
  std::uint16_t d[16];
};

template <DType type, class CodesOf, class ScalesOf>
struct PackedBlock {
  static constexpr DType dtype = type;
  using Codes = CodesOf;
  using Scales = ScalesOf;
  Codes codes;
  Scales scales;
};

using PackedQ8_0 = PackedBlock<DType::q8_0, Codes8, HalfScales>;
using PackedQ4_0 = PackedBlock<DType::q4_0, Codes4, HalfScales>;
using PackedQ4_1 = PackedBlock<DType::q4_1, Codes4, HalfScalesMins>;
using PackedQ5_0 = PackedBlock<DType::q5_0, Codes5, HalfScales>;
using PackedQ5_1 = PackedBlock<DType::q5_1, Codes5, HalfScalesMins>;
using PackedQ2K = PackedBlock<DType::q2_k, Codes2, NibbleScalesMins>;
using PackedQ3K = PackedBlock<DType::q3_k, Codes3, SixBitScales16>;
using PackedQ4K = PackedBlock<DType::q4_k, Codes4, SixBitScalesMins>;
using PackedQ5K = PackedBlock<DType::q5_k, Codes5, SixBitScalesMins>;
using PackedQ6K = PackedBlock<DType::q6_k, Codes6, ByteScales>;
using PackedQ8K = PackedBlock<DType::q8_k, Codes8, RowScales>;
using PackedIQ4NL = PackedBlock<DType::iq4_nl, Codes4, HalfScales>;
using PackedIQ4XS = PackedBlock<DType::iq4_xs, Codes4, SixBitScales32>;
using PackedMXFP4 = PackedBlock<DType::mxfp4, Codes4, ExponentScales>;
using PackedINT4 = PackedBlock<DType::int4, Codes4, GroupScales>;
using PackedIQ2XXS = PackedBlock<DType::iq2_xxs, Indices<8>, SignsScales>;
using PackedIQ2XS = PackedBlock<DType::iq2_xs, Indices<8>, NinthSigns>;
using PackedIQ2S = PackedBlock<DType::iq2_s, Indices<8>, TenthSigns>;
using PackedIQ3XXS = PackedBlock<DType::iq3_xxs, Indices<4>, SignsScales>;
using PackedIQ3S = PackedBlock<DType::iq3_s, Indices<4>, NinthsSigns>;
using PackedIQ1S = PackedBlock<DType::iq1_s, Indices<8>, EleventhShifts>;
using PackedIQ1M = PackedBlock<DType::iq1_m, Indices<8>, EleventhsShifts>;

// Blocks whose codes are indices into a grid.
template <class Block>
inline constexpr bool has_grid = requires { Block::Codes::per_index; };

// What iq4_nl's and iq4_xs's codes mean, and (doubled) mxfp4's.
inline constexpr std::int8_t iq4_values[16]{-127, -104, -83, -65, -49, -35, -22, -10,
                                            1,    13,   25,  38,  53,  69,  89,  113};
inline constexpr std::int8_t mxfp4_values[16]{0, 1,  2,  3,  4,  6,  8,  12,
                                              0, -1, -2, -3, -4, -6, -8, -12};

// Calls visit(Block()) with the block of a format; false where there is none.
template <class Visit>
constexpr bool with_packed_block(DType dtype, Visit&& visit) {
  switch (dtype) {
    case DType::q8_0:
      return visit(static_cast<PackedQ8_0*>(nullptr)), true;
    case DType::q4_0:
      return visit(static_cast<PackedQ4_0*>(nullptr)), true;
    case DType::q4_1:
      return visit(static_cast<PackedQ4_1*>(nullptr)), true;
    case DType::q5_0:
      return visit(static_cast<PackedQ5_0*>(nullptr)), true;
    case DType::q5_1:
      return visit(static_cast<PackedQ5_1*>(nullptr)), true;
    case DType::q2_k:
      return visit(static_cast<PackedQ2K*>(nullptr)), true;
    case DType::q3_k:
      return visit(static_cast<PackedQ3K*>(nullptr)), true;
    case DType::q4_k:
      return visit(static_cast<PackedQ4K*>(nullptr)), true;
    case DType::q5_k:
      return visit(static_cast<PackedQ5K*>(nullptr)), true;
    case DType::q6_k:
      return visit(static_cast<PackedQ6K*>(nullptr)), true;
    case DType::q8_k:
      return visit(static_cast<PackedQ8K*>(nullptr)), true;
    case DType::iq4_nl:
      return visit(static_cast<PackedIQ4NL*>(nullptr)), true;
    case DType::iq4_xs:
      return visit(static_cast<PackedIQ4XS*>(nullptr)), true;
    case DType::mxfp4:
      return visit(static_cast<PackedMXFP4*>(nullptr)), true;
    case DType::int4:
      return visit(static_cast<PackedINT4*>(nullptr)), true;
    case DType::iq2_xxs:
      return visit(static_cast<PackedIQ2XXS*>(nullptr)), true;
    case DType::iq2_xs:
      return visit(static_cast<PackedIQ2XS*>(nullptr)), true;
    case DType::iq2_s:
      return visit(static_cast<PackedIQ2S*>(nullptr)), true;
    case DType::iq3_xxs:
      return visit(static_cast<PackedIQ3XXS*>(nullptr)), true;
    case DType::iq3_s:
      return visit(static_cast<PackedIQ3S*>(nullptr)), true;
    case DType::iq1_s:
      return visit(static_cast<PackedIQ1S*>(nullptr)), true;
    case DType::iq1_m:
      return visit(static_cast<PackedIQ1M*>(nullptr)), true;
    default:
      return false;
  }
}

}  // namespace herd
