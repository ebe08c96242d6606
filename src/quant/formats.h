// Every block format beside its number type, and what decodes any of them. Plain C++20.
#pragma once

#include <cstdint>

#include "quant/i_blocks.h"
#include "quant/k_blocks.h"
#include "quant/small_blocks.h"
#include "tensor/dtype.h"

namespace herd::quant {

// Calls f.template operator()<Block>() with the block of a quantized type; gives false for other types.
template <class F>
constexpr bool with_block(DType type, F&& f) {
  switch (type) {
    case DType::q8_0:
      f.template operator()<Q8_0>();
      return true;
    case DType::q4_0:
      f.template operator()<Q4_0>();
      return true;
    case DType::q4_1:
      f.template operator()<Q4_1>();
      return true;
    case DType::q5_0:
      f.template operator()<Q5_0>();
      return true;
    case DType::q5_1:
      f.template operator()<Q5_1>();
      return true;
    case DType::q2_k:
      f.template operator()<Q2_K>();
      return true;
    case DType::q3_k:
      f.template operator()<Q3_K>();
      return true;
    case DType::q4_k:
      f.template operator()<Q4_K>();
      return true;
    case DType::q5_k:
      f.template operator()<Q5_K>();
      return true;
    case DType::q6_k:
      f.template operator()<Q6_K>();
      return true;
    case DType::q8_k:
      f.template operator()<Q8_K>();
      return true;
    case DType::iq1_s:
      f.template operator()<IQ1_S>();
      return true;
    case DType::iq1_m:
      f.template operator()<IQ1_M>();
      return true;
    case DType::iq2_xxs:
      f.template operator()<IQ2_XXS>();
      return true;
    case DType::iq2_xs:
      f.template operator()<IQ2_XS>();
      return true;
    case DType::iq2_s:
      f.template operator()<IQ2_S>();
      return true;
    case DType::iq3_xxs:
      f.template operator()<IQ3_XXS>();
      return true;
    case DType::iq3_s:
      f.template operator()<IQ3_S>();
      return true;
    case DType::iq4_nl:
      f.template operator()<IQ4_NL>();
      return true;
    case DType::iq4_xs:
      f.template operator()<IQ4_XS>();
      return true;
    case DType::mxfp4:
      f.template operator()<MXFP4>();
      return true;
    default:
      return false;
  }
}

// n consecutive numbers of a weight type (dtype_table's is_weight) as float32. A quantized row starts on a block and n
// is whole blocks; `from` has no alignment.
void decode_row(DType type, const void* from, float* to, std::int64_t n);

}  // namespace herd::quant
