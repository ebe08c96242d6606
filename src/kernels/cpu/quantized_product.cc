#include "kernels/cpu/quantized_product.h"

#include <array>

#include "kernels/cpu/instruction_set.h"

namespace herd::cpu {

std::span<const QuantizedKernels* const> quantized_kernels() {
#if defined(__x86_64__)
  static const std::array<const QuantizedKernels*, 3> all{&quantized_vnni512, &quantized_avx2,
                                                          &quantized_portable};
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool vnni = avx2 && __builtin_cpu_supports("avx512vnni") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512dq");
  return std::span(all).subspan(vnni ? 0 : avx2 ? 1 : 2);
#else
  static const std::array<const QuantizedKernels*, 1> all{&quantized_portable};
  return all;
#endif
}

const QuantizedKernels& chosen_quantized_kernels() {
  const std::string_view set = chosen_instruction_set();
  const auto all = quantized_kernels();
  for (const QuantizedKernels* one : all) {
    if (one->name == "avx512_vnni" && !set.starts_with("AVX3")) continue;
    if (one->name == "avx2" && !set.starts_with("AVX3") && set != "AVX2") continue;
    return *one;
  }
  return *all.back();
}

}  // namespace herd::cpu
