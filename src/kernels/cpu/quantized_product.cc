#include "kernels/cpu/quantized_product.h"

#include <array>
#include <vector>

#include "kernels/cpu/instruction_set.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace herd::cpu {
namespace {

const QuantizedKernels* forced = nullptr;

// Whether products with these belong to one of Highway's instruction sets.
bool allowed_by(std::string_view set, std::string_view kernels) {
  if (kernels.starts_with("avx512")) return set.starts_with("AVX3");
  if (kernels.starts_with("avx")) return set.starts_with("AVX3") || set == "AVX2";
  if (kernels.starts_with("neon")) return set == "NEON";
  return true;
}

}  // namespace

std::span<const QuantizedKernels* const> quantized_kernels() {
#if defined(__x86_64__)
  static const std::vector<const QuantizedKernels*> all = [] {
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool vnni = avx2 && __builtin_cpu_supports("avx512vnni") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq");
    std::vector<const QuantizedKernels*> out;
    if (vnni) out.push_back(&quantized_vnni512);
    if (vnni) out.push_back(&quantized_vnni256);
    if (avx2 && __builtin_cpu_supports("avxvnni")) out.push_back(&quantized_avx_vnni);
    if (avx2) out.push_back(&quantized_avx2);
    out.push_back(&quantized_portable);
    return out;
  }();
  return all;
#elif defined(__aarch64__)
  static const std::array<const QuantizedKernels*, 4> all{
      &quantized_neon_i8mm, &quantized_neon_dotprod, &quantized_neon, &quantized_portable};
  const bool dot_product = (::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  const bool i8mm = dot_product && (::getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
  return std::span(all).subspan(i8mm ? 0 : dot_product ? 1 : 2);
#else
  static const std::array<const QuantizedKernels*, 1> all{&quantized_portable};
  return all;
#endif
}

std::vector<std::string_view> quantized_kernel_names() {
  std::vector<std::string_view> names;
  for (const QuantizedKernels* one : quantized_kernels()) names.push_back(one->name);
  return names;
}

const QuantizedKernels& chosen_quantized_kernels() {
  if (forced != nullptr) return *forced;
  const std::string_view set = chosen_instruction_set();
  const auto all = quantized_kernels();
  for (const QuantizedKernels* one : all)
    if (allowed_by(set, one->name)) return *one;
  return *all.back();
}

bool force_quantized_kernels(std::string_view name) {
  forced = nullptr;
  if (name.empty()) return true;
  for (const QuantizedKernels* one : quantized_kernels())
    if (one->name == name) forced = one;
  return forced != nullptr;
}

bool forced_below_512_bits() { return forced != nullptr && forced->bits < 512; }

}  // namespace herd::cpu
