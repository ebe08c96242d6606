// Which vector instructions the kernels of this folder use.
#pragma once

#include <string_view>
#include <vector>

namespace herd::cpu {

// Highway's names ("AVX3", "AVX2", "SSE4", "SCALAR", "NEON") of the sets that are built and that this processor has,
// best first.
std::vector<std::string_view> instruction_sets();

// The one that kernels use.
std::string_view chosen_instruction_set();

// Makes kernels use another one of instruction_sets(), or the best again for "". For tests and benchmarks: no kernel
// may run meanwhile. False if there is no such set.
bool force_instruction_set(std::string_view name);

}  // namespace herd::cpu
