// Floats to FP8 (e4m3 "FN", OCP's 8-bit floating point): the other direction of f32_of_f8_e4m3().
#pragma once

#include <cstdint>

namespace herd::quant {

// The nearest, ties to the even one; what is larger than 448 becomes 448, NaN stays NaN.
std::uint8_t f8_e4m3_of_f32(float value);

// A row as FP8 numbers and the scale they are to be multiplied by: its largest number becomes 448, as checkpoints with
// a scale an output have it. A row of zeros has scale 1.
float encode_fp8_row(const float* from, std::int64_t n, std::uint8_t* to);

}  // namespace herd::quant
