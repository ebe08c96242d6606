// The blocks of GGUF files as integers, for packing, and the float32 numbers that those integers mean. Formats as the
// GGUF specification and ggml's reference decoders have them.
#pragma once

#include <cstdint>

#include "kernels/packed_block.h"

namespace herd {

// Reads 256 weights of one output: one block, or up to eight blocks of 32 (those beyond `blocks` stay zero).
void read_quantized_row(DType dtype, const std::uint8_t* source, std::int64_t blocks,
                        QuantizedRow& row);

// The way back, into the bytes of `blocks` blocks.
void write_quantized_row(DType dtype, const QuantizedRow& row, std::int64_t blocks,
                         std::uint8_t* to);

// The 256 numbers, rounded as ggml's decoder of the format rounds them.
void decode_quantized_row(DType dtype, const QuantizedRow& row, float* to);

}  // namespace herd
