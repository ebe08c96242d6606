// Every block format beside its number type, and what decodes any of them. Plain C++20.
#pragma once

#include <cstdint>

#include "quant/i_blocks.h"
#include "quant/int4_block.h"
#include "quant/k_blocks.h"
#include "quant/small_blocks.h"
#include "tensor/dtype.h"

namespace herd::quant {

// Calls f.template operator()<Block>() with the block of a quantized type; gives false for other types.
template <class F>
constexpr bool with_block(DType type, F&& f) {
  switch (type) {
    case DType::q8_0:
      return f.template operator()<Q8_0>(), true;
    case DType::q4_0:
      return f.template operator()<Q4_0>(), true;
    case DType::q4_1:
      return f.template operator()<Q4_1>(), true;
    case DType::q5_0:
      return f.template operator()<Q5_0>(), true;
    case DType::q5_1:
      return f.template operator()<Q5_1>(), true;
    case DType::q2_k:
      return f.template operator()<Q2_K>(), true;
    case DType::q3_k:
      return f.template operator()<Q3_K>(), true;
    case DType::q4_k:
      return f.template operator()<Q4_K>(), true;
    case DType::q5_k:
      return f.template operator()<Q5_K>(), true;
    case DType::q6_k:
      return f.template operator()<Q6_K>(), true;
    case DType::q8_k:
      return f.template operator()<Q8_K>(), true;
    case DType::iq1_s:
      return f.template operator()<IQ1_S>(), true;
    case DType::iq1_m:
      return f.template operator()<IQ1_M>(), true;
    case DType::iq2_xxs:
      return f.template operator()<IQ2_XXS>(), true;
    case DType::iq2_xs:
      return f.template operator()<IQ2_XS>(), true;
    case DType::iq2_s:
      return f.template operator()<IQ2_S>(), true;
    case DType::iq3_xxs:
      return f.template operator()<IQ3_XXS>(), true;
    case DType::iq3_s:
      return f.template operator()<IQ3_S>(), true;
    case DType::iq4_nl:
      return f.template operator()<IQ4_NL>(), true;
    case DType::iq4_xs:
      return f.template operator()<IQ4_XS>(), true;
    case DType::mxfp4:
      return f.template operator()<MXFP4>(), true;
    case DType::int4:
      return f.template operator()<INT4>(), true;
    default:
      return false;
  }
}

// n consecutive numbers of a weight type (dtype_table's is_weight) as float32. A quantized row starts on a block and n
// is whole blocks; `from` has no alignment.
void decode_row(DType type, const void* from, float* to, std::int64_t n);

}  // namespace herd::quant
