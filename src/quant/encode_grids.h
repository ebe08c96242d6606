// Floats to the I formats that are indices into grids (i_blocks.h): for each group a scale, for each 4 or 8 numbers the
// vector of the grid with the least weighted error, and the block's scale fitted to what was chosen.
#pragma once

#include "quant/i_blocks.h"

namespace herd::quant {

// 256 numbers; `importance` as encode_row() has it. The block must be zero.
void encode(const float* x, const float* importance, IQ3_S& b);
void encode(const float* x, const float* importance, IQ3_XXS& b);
void encode(const float* x, const float* importance, IQ2_S& b);
void encode(const float* x, const float* importance, IQ2_XS& b);
void encode(const float* x, const float* importance, IQ2_XXS& b);
void encode(const float* x, const float* importance, IQ1_S& b);
void encode(const float* x, const float* importance, IQ1_M& b);

}  // namespace herd::quant
