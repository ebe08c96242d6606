// Floats to the formats with blocks of 256 whose groups have whole scales of their own: the K formats and IQ4_XS.
#pragma once

#include "quant/i_blocks.h"
#include "quant/k_blocks.h"

namespace herd::quant {

// 256 numbers; `importance` as encode_row() has it. The block must be zero.
void encode(const float* x, const float* importance, Q2_K& b);
void encode(const float* x, const float* importance, Q3_K& b);
void encode(const float* x, const float* importance, Q4_K& b);
void encode(const float* x, const float* importance, Q5_K& b);
void encode(const float* x, const float* importance, Q6_K& b);
void encode(const float* x, const float* importance, IQ4_XS& b);

}  // namespace herd::quant
