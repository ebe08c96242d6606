// Every kernel of table.h with its generator of arguments.
#pragma once

#include "kernels/testing/attend_cases.h"
#include "kernels/testing/element_cases.h"
#include "kernels/testing/matmul_case.h"
#include "kernels/testing/row_cases.h"

namespace herd::test {

inline const CaseKind all_kinds[]{
    {"matmul", random_matmul},         {"attend", random_attend, 50},
    {"store_kv", random_store_kv, 50}, {"rms_norm", random_rms_norm},
    {"layer_norm", random_layer_norm}, {"rope", random_rope},
    {"silu_mul", random_silu_mul},     {"gelu", random_gelu},
    {"sigmoid", random_sigmoid},       {"add", random_add},
    {"gather", random_gather},         {"gather_add", random_gather_add},
    {"top_k", random_top_k},           {"scale_rows", random_scale_rows},
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
