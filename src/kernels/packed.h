// Quantized weights as the CPU multiplies them: Layout::packed. Made once, when a model is loaded or converted; every
// number stays exactly what it was in the file.
//
// A packed matrix is ceil(out / 16) rows of ceil(in / 256) blocks (packed_block.h), each row one run of memory. Outputs
// and inputs that fill up the last blocks are zeros.
#pragma once

#include <cstdint>

#include "tensor/matrix.h"

namespace herd {

// Whether matrices of this format can be packed.
bool can_pack(DType dtype);

// Bytes of a packed matrix; 0 where the format cannot be packed.
std::int64_t packed_bytes(DType dtype, std::int64_t out, std::int64_t in);

// The matrix that `data` holds once all its rows of blocks are packed.
Matrix packed_matrix(DType dtype, std::int64_t out, std::int64_t in, const void* data);

// Packs rows of blocks [begin, end), each 16 outputs, of a matrix in its file's layout (out_in, `in` in whole blocks of
// the format, rows without gaps) into the packed matrix at `to`, which should be aligned to 64 bytes. Different rows
// can be packed by different threads.
void pack(const Matrix& from, std::int64_t begin, std::int64_t end, void* to);

// The way back: outputs [begin, end) as their file had them, bit for bit, one after the other. (q8_k's sums, which no
// reader needs, are worked out again.)
void unpack(const Matrix& packed, std::int64_t begin, std::int64_t end, void* to);

// The weights of one output of a packed matrix, as float32: the same numbers that the file's blocks decode to.
void unpack_output(const Matrix& packed, std::int64_t output, float* to);

}  // namespace herd
