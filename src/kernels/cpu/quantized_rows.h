// Rows of activations as eight-bit integers, which is what packed weights are multiplied by. A row is quantized once
// for all matrices of a call that it goes through.
//
// Every 256 inputs have one scale: d = max |x| / 127, code = x / d rounded to nearest even. A block with an infinity or
// a NaN has d = NaN, and so do all outputs of its row; blocks whose largest magnitude is below 2^-100 are zeros.
//
// Blocks lie input block by input block, rows side by side within one: the columns of a tile are then at constant
// distances.
#pragma once

#include <cstdint>

namespace herd::cpu {

struct alignas(64) QuantizedInputs {
  std::int8_t code[256];
  std::int32_t minus128_sum16[16];  // -128 * sum of the codes of inputs 16 g .. 16 g + 15
  std::int32_t minus128_sum32[8];   // the same of 32
  std::int16_t sum32[8];            // sums of codes, for minima: two neighbours are read at once
  std::int16_t sum16[16];
  float d;
  // The most that sums of codes times weights can reach, for weights of one unit: sums of positive or of negative
  // codes (the larger) of 32 inputs; sums of magnitudes of 16. They say whether 16 bits hold a sum.
  std::int32_t one_sided32;
  std::int32_t magnitude16;
};
static_assert(sizeof(QuantizedInputs) == 448);

}  // namespace herd::cpu
