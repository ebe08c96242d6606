// Rows of activations as eight-bit integers, which is what packed weights are multiplied by. A row is quantized once
// for all matrices of a call that it goes through.
//
// Inputs share a scale, 256 of them for formats whose scales are integers, 32 of them for those with a float for every
// 32 weights (finer costs those next to nothing and errs less: one large number drowns 31 others, not 255):
// d = max |x| / 127, code = x / d rounded to nearest even. Where there is an infinity or a NaN d is NaN, and so are all
// outputs of the row; where the largest magnitude is below 2^-100 inputs count as zeros.
//
// Blocks lie input block by input block, rows side by side within one: the columns of a tile are then at constant
// distances.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace herd::cpu {

// How many inputs share a scale.
enum class InputScales : std::uint8_t { per_256, per_32 };

// What weights of a format are multiplied by.
constexpr InputScales input_scales(DType weights) {
  switch (weights) {
    case DType::q2_k:
    case DType::q3_k:
    case DType::q4_k:
    case DType::q5_k:
    case DType::q6_k:
    case DType::iq1_s:
    case DType::iq1_m:
    case DType::iq2_xxs:
    case DType::iq2_xs:
    case DType::iq2_s:
    case DType::iq3_xxs:
    case DType::iq3_s:
      return InputScales::per_256;
    default:
      return InputScales::per_32;
  }
}

struct alignas(64) QuantizedInputs {
  std::int8_t code[256];
  std::int32_t minus128_sum16[16];  // -128 * sum of the codes of inputs 16 g .. 16 g + 15
  std::int32_t minus128_sum32[8];   // the same of 32
  std::int16_t sum32[8];            // sums of codes, for minima: two neighbours are read at once
  std::int16_t sum16[16];
  float d;       // per_256
  float d32[8];  // per_32; with per_256 all of them are d
  // The most that sums of codes times weights can reach, for weights of one unit: sums of positive or of negative
  // codes (the larger) of 32 inputs; sums of magnitudes of 16. They say whether 16 bits hold a sum.
  std::int32_t one_sided32;
  std::int32_t magnitude16;
};
static_assert(sizeof(QuantizedInputs) == 448);

}  // namespace herd::cpu
