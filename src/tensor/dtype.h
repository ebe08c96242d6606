// The formats a number can have in memory or in a file. One row a format; plain C++20, so that device code can see it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace herd {

enum class DType : std::uint8_t { f32, f16, bf16, f8_e4m3, f64, i64, i32, i16, i8, u8, boolean };

struct DTypeRow {
  DType type;
  std::string_view name;              // ours, as `herd inspect` prints it
  std::string_view safetensors_name;  // as safetensors headers spell it
  std::size_t bytes;                  // per element
  bool is_weight;                     // a matrix of it can be multiplied by
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
};

constexpr const DTypeRow& row_of(DType type) { return dtype_table[static_cast<std::size_t>(type)]; }

static_assert(
    [] {
      for (std::size_t i = 0; i < dtype_table.size(); ++i)
        if (static_cast<std::size_t>(dtype_table[i].type) != i) return false;
      return dtype_table.size() == static_cast<std::size_t>(DType::boolean) + 1;
    }(),
    "dtype_table lists every DType once, in order");

}  // namespace herd
