// Products in bfloat16 with float32 sums, on processors that multiply its pairs (AVX512_BF16: AMD from Zen 4, Intel
// from Cooper Lake): factors that are not bfloat16 yet are rounded once, to nearest even, as they are packed. Used
// where the lane says so (Lane::bfloat16): in training, and in the vision encoder; never for text that is served, where
// a row's bits may not depend on how many rows come with it.
//
// A sum runs along k in pairs, in blocks of 256; neither tiles nor threads change its bits. Other processors have no
// such instruction and multiply float32 instead, so the bits differ between the two kinds.
#pragma once

#include <cstdint>

#include "kernels/cpu/matmul_plan.h"

namespace herd::cpu {

// Whether this processor, and the instruction set that kernels use, have it.
bool has_bfloat16_products();

// Fewer rows than these are multiplied in float32: packing would cost more than it saves. Counted in a group, not in an
// item of it, so that the number of threads decides nothing.
inline constexpr std::int64_t bfloat16_rows_min = 33;

// Whether weights are of a kind that multiply_bfloat16 takes: float32 or bfloat16, not packed.
bool can_multiply_bfloat16(const Matrix& weight);

// What cpu::matmul does for an item with such weights.
void multiply_bfloat16(const MatmulItem& item);

// What cpu::weight_grad does for outputs [begin, end) of a group, biases aside; at most bfloat16_outputs_max of them.
inline constexpr std::int64_t bfloat16_outputs_max = 192;
void weight_grad_bfloat16(const WeightGradArgs& args, const WeightGradGroup& group,
                          std::int64_t begin, std::int64_t end);

// `rounds` rounds of independent products in registers, for measuring; a multiplication and an addition are two
// operations.
double bfloat16_chains(std::int64_t rounds);

}  // namespace herd::cpu
