// Quantized products with AVX-512 VNNI at 256 bits, for processors that are slower or hotter at 512. Chosen by name
// alone (HERD_KERNELS): nothing says which they are.
#include "kernels/cpu/quantized_product.h"

#if defined(__x86_64__)

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/cpu/quantized_extras.h"
#include "kernels/cpu/targets.h"
#include "kernels/grid_tables.h"
#include "kernels/packed_block.h"

#if defined(__GNUC__) && !defined(__clang__)
// Vector types lose attributes as template arguments; none of them matter here.
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

#define HERD_DPBUSD _mm256_dpbusd_epi32
#define HERD_DPWSSD _mm256_dpwssd_epi32

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,bmi,bmi2")
namespace herd::cpu {
namespace {

#include "kernels/cpu/quantized_256-inl.h"
#include "kernels/cpu/quantized_vnni256-inl.h"

struct S : Vnni256 {
  static constexpr int columns = 5;  // 10 sums of groups, 10 of blocks; 32 registers
};

#include "kernels/cpu/quantized_codes-inl.h"
#include "kernels/cpu/quantized_tile-inl.h"

}  // namespace

const QuantizedKernels quantized_vnni256{"avx512_vnni256", 256, quantize, multiply, dot_chains};

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

#endif
