// Keys and values as integers (DType q8_0 and q4_0): a half or a quarter of the memory of bfloat16.
//
// A row of d numbers is rotated before it is rounded, by a Hadamard transform, which spreads one large number over all
// (QuaRot, Ashkboos et al. 2024). Scores stay what they are when queries are rotated alike; a weighted mean of rotated
// values is rotated back, and the transform is its own inverse. Then each 32 numbers share a scale, as quant/encode.h
// encodes them: 8.5 or 4.5 bits a number.
//
// Each head's share of a block, 64 rows, holds the codes and then the scales, both in the order in which attention
// reads them:   keys: codes [d, 64], scales [d / 32, 64]    values: codes [64, d], scales [64, d / 32]
// In q4_0 a byte holds numbers i (lower half) and i + 16 of its 32, so that there are half as many rows of codes (keys)
// or half as long ones (values); a code is the number's level plus 8.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/table.h"

namespace herd {

inline constexpr std::int64_t kv_group = 32;  // numbers that share a scale

// Whether keys and values of heads of d can be kept so: f32 and bf16 always, q8_0 and q4_0 in whole groups.
bool can_keep_kv(DType dtype, std::int64_t d);

// x[0, d) turned in place. Of d's largest factor that is a power of two; so d = 96 is three turns of 32.
void rotate(float* x, std::int64_t d);

// One head's share of a block.
struct KvCodes {
  const std::uint8_t* codes = nullptr;    // of q8_0: two's complement
  const std::uint16_t* scales = nullptr;  // float16
};
KvCodes kv_codes(const void* block, DType dtype, std::int64_t g, std::int64_t d);

// store_kv of table.h for the types of integers; `row` is room for d numbers.
void store_kv_codes(const StoreKvArgs& args, std::span<float> row);

// Row `within` of head g as it was stored, still rotated -> to [d]
void read_kv_codes(KvPart part, DType dtype, const void* block, std::int64_t within, std::int64_t g,
                   std::int64_t d, float* to);

}  // namespace herd
