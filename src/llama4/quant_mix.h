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
  dense,         // gate and up of layers without experts
  dense_down,    // their way back
  shared,        // gate and up of the shared expert
  shared_down,   // their way back
  experts,       // gate and up of routed experts: most of the bytes, and few tokens see each
  experts_down,  // their way back
  small          // norms, biases, routers: float32
};

struct MixRow {
  std::string_view name;
  std::uint32_t file_type;  // of most bytes, as llama.cpp numbers it; 1024 and more are our own
  DType embedding, head, attention, keys_values, dense, dense_down, experts, experts_down;
  std::optional<DType> shared = {};  // all of the shared expert; as dense layers where not given
};

inline constexpr std::array mix_table = [] {
  using enum DType;
  return std::array{
      // clang-format off
      //     name, llama.cpp's number
      //                   embedding
      //                           head    attention       dense           experts
      //                                           keys            down            down
      MixRow{"f32",     0, f32,    f32,    f32,    f32,    f32,    f32,    f32,    f32},
      MixRow{"f16",     1, f16,    f16,    f16,    f16,    f16,    f16,    f16,    f16},
      MixRow{"bf16",   32, bf16,   bf16,   bf16,   bf16,   bf16,   bf16,   bf16,   bf16},
      MixRow{"q8_0",    7, q8_0,   q8_0,   q8_0,   q8_0,   q8_0,   q8_0,   q8_0,   q8_0},
      MixRow{"q4_0",    2, q4_0,   q6_k,   q4_0,   q4_0,   q4_0,   q4_0,   q4_0,   q4_0},
      MixRow{"q4_1",    3, q4_1,   q6_k,   q4_1,   q4_1,   q4_1,   q4_1,   q4_1,   q4_1},
      MixRow{"q5_0",    8, q5_0,   q6_k,   q5_0,   q5_0,   q5_0,   q5_0,   q5_0,   q5_0},
      MixRow{"q5_1",    9, q5_1,   q6_k,   q5_1,   q5_1,   q5_1,   q5_1,   q5_1,   q5_1},
      MixRow{"q6_k",   18, q6_k,   q6_k,   q6_k,   q6_k,   q6_k,   q6_k,   q6_k,   q6_k},
      MixRow{"q5_k",   16, q5_k,   q6_k,   q5_k,   q5_k,   q5_k,   q5_k,   q5_k,   q5_k},
      MixRow{"q5_k_m", 17, q5_k,   q6_k,   q5_k,   q6_k,   q5_k,   q6_k,   q5_k,   q5_k},
      MixRow{"q4_k",   14, q4_k,   q6_k,   q4_k,   q4_k,   q4_k,   q4_k,   q4_k,   q4_k},
      MixRow{"q4_k_m", 15, q4_k,   q6_k,   q5_k,   q6_k,   q5_k,   q6_k,   q4_k,   q4_k},
      MixRow{"iq4_xs", 30, iq4_xs, q6_k,   iq4_xs, iq4_xs, iq4_xs, iq4_xs, iq4_xs, iq4_xs},
      MixRow{"iq4_nl", 25, iq4_nl, q6_k,   iq4_nl, iq4_nl, iq4_nl, iq4_nl, iq4_nl, iq4_nl},
      MixRow{"q3_k",   11, q3_k,   q6_k,   q3_k,   q3_k,   q3_k,   q3_k,   q3_k,   q3_k},
      MixRow{"q3_k_m", 12, q4_k,   q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   q3_k,   q3_k},
      MixRow{"q2_k",   21, q2_k,   q6_k,   q2_k,   q2_k,   q2_k,   q2_k,   q2_k,   q2_k},
      MixRow{"q2_k_m", 10, q4_k,   q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   q2_k,   q3_k},
      MixRow{"iq3_s",  26, q4_k,   q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   iq3_s,  iq3_s},
      MixRow{"iq3_xxs", 23, q4_k,  q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   iq3_xxs, iq3_s},
      MixRow{"iq2_m",  29, q4_k,   q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   iq2_s,  iq3_xxs},
      MixRow{"iq2_s",  28, q4_k,   q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   iq2_s,  iq2_s},
      MixRow{"iq2_xs", 20, q4_k,   q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   iq2_xs, iq2_s},
      MixRow{"iq2_xxs", 19, q4_k,  q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   iq2_xxs, iq2_xs},
      MixRow{"iq1_m",  31, q4_k,   q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   iq1_m,  iq2_xxs},
      MixRow{"iq1_s",  24, q4_k,   q6_k,   q4_k,   q6_k,   q4_k,   q5_k,   iq1_s,  iq1_m},
      MixRow{"mxfp4",  38, q8_0,   q8_0,   q8_0,   q8_0,   q8_0,   q8_0,   mxfp4,  mxfp4},
      // What Meta's code makes when it loads a model "int4_mixed": all experts, and nothing else.
      MixRow{"int4", 1024, bf16,   bf16,   bf16,   bf16,   bf16,   bf16,   int4,   int4,   int4},
      // clang-format on
  };
}();

// The row with one format for every role: for measuring formats, and for models without experts.
constexpr MixRow pure(const MixRow& row) {
  const DType type = row.experts;
  return {row.name, row.file_type, type, type, type, type, type, type, type, type};
}

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
