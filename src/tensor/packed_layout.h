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

// Bytes of one block; 0 for formats that are not packed.
constexpr std::uint64_t packed_block_bytes(DType type) {
  switch (type) {
    case DType::q8_k:  // without the sums that its file keeps
      return packed_outs * (packed_inputs + 4);
    case DType::q8_0:
    case DType::q4_0:
    case DType::q4_1:
    case DType::q5_0:
    case DType::q5_1:
    case DType::q2_k:
    case DType::q3_k:
    case DType::q4_k:
    case DType::q5_k:
    case DType::q6_k:
    case DType::iq1_s:
    case DType::iq1_m:
    case DType::iq2_xxs:
    case DType::iq2_xs:
    case DType::iq2_s:
    case DType::iq3_xxs:
    case DType::iq3_s:
    case DType::iq4_nl:
    case DType::iq4_xs:
    case DType::mxfp4:
      return static_cast<std::uint64_t>(bytes_of(type, packed_outs * packed_inputs));
    default:
      return 0;
  }
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
