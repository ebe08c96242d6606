// Quantized products with AVX-VNNI: what processors without AVX-512 have of it (Intel from Alder Lake).
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

#define HERD_DPBUSD _mm256_dpbusd_avx_epi32
#define HERD_DPWSSD _mm256_dpwssd_avx_epi32

HWY_PUSH_ATTRIBUTES("avx2,avxvnni,fma,f16c,bmi,bmi2")
namespace herd::cpu {
namespace {

#include "kernels/cpu/quantized_256-inl.h"
#include "kernels/cpu/quantized_vnni256-inl.h"

struct S : Vnni256 {
  static constexpr int columns = 2;  // 4 sums of groups, 4 of blocks; 16 registers
};

#include "kernels/cpu/quantized_codes-inl.h"
#include "kernels/cpu/quantized_tile-inl.h"

}  // namespace

const QuantizedKernels quantized_avx_vnni{"avx_vnni", 256, quantize, multiply, dot_chains};

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

#endif
