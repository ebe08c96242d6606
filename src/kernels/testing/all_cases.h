// Every kernel of table.h with its generator of arguments.
#pragma once

#include "kernels/testing/attend_cases.h"
#include "kernels/testing/element_cases.h"
#include "kernels/testing/grad_cases.h"
#include "kernels/testing/matmul_case.h"
#include "kernels/testing/row_cases.h"

namespace herd::test {

inline const CaseKind all_kinds[]{
    {"matmul", random_matmul},
    {"attend", random_attend, 50},
    {"attend_within", random_attend_within, 60},
    {"store_kv", random_store_kv, 50},
    {"rms_norm", random_rms_norm},
    {"layer_norm", random_layer_norm},
    {"rope", random_rope},
    {"silu_mul", random_silu_mul},
    {"gelu", random_gelu},
    {"sigmoid", random_sigmoid},
    {"add", random_add},
    {"gather", random_gather},
    {"gather_add", random_gather_add},
    {"top_k", random_top_k},
    {"scale_rows", random_scale_rows},
    {"weight_grad", random_weight_grad, 60},
    {"rms_norm_grad", random_rms_norm_grad, 60},
    {"layer_norm_grad", random_layer_norm_grad, 60},
    {"silu_mul_grad", random_silu_mul_grad, 60},
    {"gelu_grad", random_gelu_grad, 60},
    {"attend_grad", random_attend_grad, 60},
    {"gather_scaled_grad", random_gather_scaled_grad, 60},
    {"scatter_rows", random_scatter_rows, 60},
    {"cross_entropy", random_cross_entropy, 60},
    {"adamw", random_adamw, 60},
    {"sum_squares", random_sum_squares, 60},
};

inline std::vector<const CaseKind*> kinds() {
  std::vector<const CaseKind*> all;
  for (const CaseKind& kind : all_kinds) all.push_back(&kind);
  return all;
}

// The index of the first value with other bits, or -1.
inline std::int64_t first_difference(const std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i)
    if (i >= a.size() || i >= b.size() ||
        std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i]))
      return static_cast<std::int64_t>(i);
  return -1;
}

}  // namespace herd::test
