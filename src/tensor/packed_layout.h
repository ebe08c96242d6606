// How large quantized matrices are when laid out for the CPU (Layout::packed; kernels/packed_block.h says what is
// where), for those who store or map them and need not look inside. Plain C++20.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/checked_math.h"
#include "tensor/dtype.h"

namespace herd {

// Of the order of bytes within blocks. To be raised with every change of it: packed stores of another version are
// refused, and a test compares the order with checksums (kernels/packed_test.cc).
inline constexpr std::uint32_t packed_layout_version = 1;

inline constexpr int packed_outs = 16;
inline constexpr int packed_inputs = 256;

// In a packed store every matrix, and every expert of a stack of them, begins on a page of this many bytes.
inline constexpr std::uint64_t packed_page = 4096;

// Bytes of one block; 0 for formats that are not packed. All that have blocks in files are, at a file's size.
constexpr std::uint64_t packed_block_bytes(DType type) {
  if (type == DType::q8_k) return packed_outs * (packed_inputs + 4);  // without its file's sums
  if (!is_quantized(type)) return 0;
  return static_cast<std::uint64_t>(bytes_of(type, packed_outs * packed_inputs));
}

// Bytes of a packed matrix in a store, up to the end of its last page; nothing when they overflow.
constexpr std::optional<std::uint64_t> packed_store_bytes(DType type, std::uint64_t out,
                                                          std::uint64_t in) {
  constexpr std::uint64_t outs = packed_outs, inputs = packed_inputs;
  const std::uint64_t bands = out / outs + (out % outs == 0 ? 0 : 1);
  const std::uint64_t blocks = in / inputs + (in % inputs == 0 ? 0 : 1);
  const auto count = checked_mul(bands, blocks);
  const auto bytes = count ? checked_mul(*count, packed_block_bytes(type)) : std::nullopt;
  const auto padded = bytes ? checked_add(*bytes, packed_page - 1) : std::nullopt;
  if (!padded) return std::nullopt;
  return *padded / packed_page * packed_page;
}

}  // namespace herd
