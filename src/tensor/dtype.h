// The formats a number can have in memory or in a file. One row a format; plain C++20, so that device code can see it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace herd {

enum class DType : std::uint8_t {
  f32,
  f16,
  bf16,
  f8_e4m3,
  f64,
  i64,
  i32,
  i16,
  i8,
  u8,
  boolean,
  // Blocks of integers with scales, as GGUF files keep them; quant/ says how each is read and written.
  q8_0,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  q8_k,
  iq1_s,
  iq1_m,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  iq4_nl,
  iq4_xs,
  mxfp4,
  int4  // Meta's, in groups of 128; no GGUF file has it
};

struct DTypeRow {
  DType type;
  std::string_view name;              // ours, as `herd inspect` prints it
  std::string_view safetensors_name;  // as safetensors headers spell it; empty: not in such files
  std::size_t bytes;                  // per block
  bool is_weight;                     // a matrix of it can be multiplied by
  std::size_t block = 1;              // numbers in a block; rows of a matrix are whole blocks
};

inline constexpr std::array dtype_table{
    DTypeRow{DType::f32, "f32", "F32", 4, true},
    DTypeRow{DType::f16, "f16", "F16", 2, true},
    DTypeRow{DType::bf16, "bf16", "BF16", 2, true},
    DTypeRow{DType::f8_e4m3, "f8_e4m3", "F8_E4M3", 1, true},
    DTypeRow{DType::f64, "f64", "F64", 8, false},
    DTypeRow{DType::i64, "i64", "I64", 8, false},
    DTypeRow{DType::i32, "i32", "I32", 4, false},
    DTypeRow{DType::i16, "i16", "I16", 2, false},
    DTypeRow{DType::i8, "i8", "I8", 1, false},
    DTypeRow{DType::u8, "u8", "U8", 1, false},
    DTypeRow{DType::boolean, "bool", "BOOL", 1, false},
    DTypeRow{DType::q8_0, "q8_0", "", 34, true, 32},
    DTypeRow{DType::q4_0, "q4_0", "", 18, true, 32},
    DTypeRow{DType::q4_1, "q4_1", "", 20, true, 32},
    DTypeRow{DType::q5_0, "q5_0", "", 22, true, 32},
    DTypeRow{DType::q5_1, "q5_1", "", 24, true, 32},
    DTypeRow{DType::q2_k, "q2_k", "", 84, true, 256},
    DTypeRow{DType::q3_k, "q3_k", "", 110, true, 256},
    DTypeRow{DType::q4_k, "q4_k", "", 144, true, 256},
    DTypeRow{DType::q5_k, "q5_k", "", 176, true, 256},
    DTypeRow{DType::q6_k, "q6_k", "", 210, true, 256},
    DTypeRow{DType::q8_k, "q8_k", "", 292, true, 256},
    DTypeRow{DType::iq1_s, "iq1_s", "", 50, true, 256},
    DTypeRow{DType::iq1_m, "iq1_m", "", 56, true, 256},
    DTypeRow{DType::iq2_xxs, "iq2_xxs", "", 66, true, 256},
    DTypeRow{DType::iq2_xs, "iq2_xs", "", 74, true, 256},
    DTypeRow{DType::iq2_s, "iq2_s", "", 82, true, 256},
    DTypeRow{DType::iq3_xxs, "iq3_xxs", "", 98, true, 256},
    DTypeRow{DType::iq3_s, "iq3_s", "", 110, true, 256},
    DTypeRow{DType::iq4_nl, "iq4_nl", "", 18, true, 32},
    DTypeRow{DType::iq4_xs, "iq4_xs", "", 136, true, 256},
    DTypeRow{DType::mxfp4, "mxfp4", "", 17, true, 32},
    DTypeRow{DType::int4, "int4", "", 68, true, 128},
};

constexpr const DTypeRow& row_of(DType type) { return dtype_table[static_cast<std::size_t>(type)]; }

// Of how many bytes so many numbers are, which must be whole blocks.
constexpr std::int64_t bytes_of(DType type, std::int64_t numbers) {
  const DTypeRow& row = row_of(type);
  return numbers / static_cast<std::int64_t>(row.block) * static_cast<std::int64_t>(row.bytes);
}

constexpr bool is_quantized(DType type) { return row_of(type).block != 1; }

static_assert(
    [] {
      for (std::size_t i = 0; i < dtype_table.size(); ++i)
        if (static_cast<std::size_t>(dtype_table[i].type) != i) return false;
      return dtype_table.size() == static_cast<std::size_t>(DType::int4) + 1;
    }(),
    "dtype_table lists every DType once, in order");

}  // namespace herd
