// packed_row.h for the I formats whose codes are indices into a grid of good vectors.
#pragma once

#include <cstdint>

#include "kernels/packed_block.h"

namespace herd {

constexpr bool has_grid_type(DType dtype) {
  bool grid = false;
  with_packed_block(dtype, [&]<class Block>(const Block*) { grid = has_grid<Block>; });
  return grid;
}

// 256 weights of one output, from and to a block of a file, which is zeros before.
void read_grid_row(DType dtype, const std::uint8_t* source, QuantizedRow& row);
void write_grid_row(DType dtype, const QuantizedRow& row, std::uint8_t* to);

// The 256 numbers. Scales are odd multiples of a small unit; every product is exact in float32.
void decode_grid_row(DType dtype, const QuantizedRow& row, float* to);

}  // namespace herd
