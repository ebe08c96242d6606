// Which format each tensor of a quantized model gets: one table. Routers, norms and biases stay float32 everywhere.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace herd::llama4 {

enum class Role : std::uint8_t {
  embedding,     // read one row at a time
  head,          // its errors are those of the logits
  attention,     // queries and output
  keys_values,   // small, and every later token looks at them
  dense,         // gate and up of layers without experts, and of the shared expert
  dense_down,    // their way back
  experts,       // gate and up of routed experts: most of the bytes, and few tokens see each
  experts_down,  // their way back
  small          // norms, biases, routers: float32
};

struct MixRow {
  std::string_view name;
  std::uint32_t file_type;  // as llama.cpp numbers it; what most of the bytes are
  DType embedding, head, attention, keys_values, dense, dense_down, experts, experts_down;
};

inline constexpr std::array mix_table{
    // clang-format off
    //     name       type  embedding      head           attention      keys_values    dense          dense_down     experts        experts_down
    MixRow{"f32",        0, DType::f32,    DType::f32,    DType::f32,    DType::f32,    DType::f32,    DType::f32,    DType::f32,    DType::f32},
    MixRow{"f16",        1, DType::f16,    DType::f16,    DType::f16,    DType::f16,    DType::f16,    DType::f16,    DType::f16,    DType::f16},
    MixRow{"bf16",      32, DType::bf16,   DType::bf16,   DType::bf16,   DType::bf16,   DType::bf16,   DType::bf16,   DType::bf16,   DType::bf16},
    MixRow{"q8_0",       7, DType::q8_0,   DType::q8_0,   DType::q8_0,   DType::q8_0,   DType::q8_0,   DType::q8_0,   DType::q8_0,   DType::q8_0},
    MixRow{"q4_0",       2, DType::q4_0,   DType::q6_k,   DType::q4_0,   DType::q4_0,   DType::q4_0,   DType::q4_0,   DType::q4_0,   DType::q4_0},
    MixRow{"q4_1",       3, DType::q4_1,   DType::q6_k,   DType::q4_1,   DType::q4_1,   DType::q4_1,   DType::q4_1,   DType::q4_1,   DType::q4_1},
    MixRow{"q5_0",       8, DType::q5_0,   DType::q6_k,   DType::q5_0,   DType::q5_0,   DType::q5_0,   DType::q5_0,   DType::q5_0,   DType::q5_0},
    MixRow{"q5_1",       9, DType::q5_1,   DType::q6_k,   DType::q5_1,   DType::q5_1,   DType::q5_1,   DType::q5_1,   DType::q5_1,   DType::q5_1},
    MixRow{"q6_k",      18, DType::q6_k,   DType::q6_k,   DType::q6_k,   DType::q6_k,   DType::q6_k,   DType::q6_k,   DType::q6_k,   DType::q6_k},
    MixRow{"q5_k",      16, DType::q5_k,   DType::q6_k,   DType::q5_k,   DType::q5_k,   DType::q5_k,   DType::q5_k,   DType::q5_k,   DType::q5_k},
    MixRow{"q5_k_m",    17, DType::q5_k,   DType::q6_k,   DType::q5_k,   DType::q6_k,   DType::q5_k,   DType::q6_k,   DType::q5_k,   DType::q5_k},
    MixRow{"q4_k",      14, DType::q4_k,   DType::q6_k,   DType::q4_k,   DType::q4_k,   DType::q4_k,   DType::q4_k,   DType::q4_k,   DType::q4_k},
    MixRow{"q4_k_m",    15, DType::q4_k,   DType::q6_k,   DType::q5_k,   DType::q6_k,   DType::q5_k,   DType::q6_k,   DType::q4_k,   DType::q4_k},
    MixRow{"iq4_xs",    30, DType::iq4_xs, DType::q6_k,   DType::iq4_xs, DType::iq4_xs, DType::iq4_xs, DType::iq4_xs, DType::iq4_xs, DType::iq4_xs},
    MixRow{"iq4_nl",    25, DType::iq4_nl, DType::q6_k,   DType::iq4_nl, DType::iq4_nl, DType::iq4_nl, DType::iq4_nl, DType::iq4_nl, DType::iq4_nl},
    MixRow{"q3_k",      11, DType::q3_k,   DType::q6_k,   DType::q3_k,   DType::q3_k,   DType::q3_k,   DType::q3_k,   DType::q3_k,   DType::q3_k},
    MixRow{"q3_k_m",    12, DType::q4_k,   DType::q6_k,   DType::q4_k,   DType::q6_k,   DType::q4_k,   DType::q5_k,   DType::q3_k,   DType::q3_k},
    MixRow{"q2_k",      21, DType::q2_k,   DType::q6_k,   DType::q2_k,   DType::q2_k,   DType::q2_k,   DType::q2_k,   DType::q2_k,   DType::q2_k},
    MixRow{"q2_k_m",    10, DType::q4_k,   DType::q6_k,   DType::q4_k,   DType::q6_k,   DType::q4_k,   DType::q5_k,   DType::q2_k,   DType::q3_k},
    MixRow{"mxfp4",     38, DType::q8_0,   DType::q8_0,   DType::q8_0,   DType::q8_0,   DType::q8_0,   DType::q8_0,   DType::mxfp4,  DType::mxfp4},
    // clang-format on
};

// Null for a name that the table does not have.
constexpr const MixRow* find_mix(std::string_view name) {
  for (const MixRow& row : mix_table)
    if (row.name == name) return &row;
  return nullptr;
}

// What a tensor is, by its canonical name without ".weight".
Role role_of(std::string_view canonical);

// The format for a role; rows that are not whole blocks fall back to q8_0 and then to f16.
DType type_for(const MixRow& mix, Role role, std::int64_t row_width);

}  // namespace herd::llama4
