// Floats to blocks: the other direction of formats.h. The small formats round to nearest as ggml's reference does,
// bit by bit, where no importances are given; else, and for the others, each group's scale is searched, because the
// scale that fits the largest number is rarely the one with the smallest error.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace herd::quant {

// Whether encode_row knows the type: every weight type but q8_k and FP8.
bool can_encode(DType type);

// n numbers, whole blocks, to `to`. `importance`, of n weights above zero or null, says how much each number's squared
// error counts; without it all count alike.
void encode_row(DType type, const float* from, std::int64_t n, void* to,
                const float* importance = nullptr);

}  // namespace herd::quant
