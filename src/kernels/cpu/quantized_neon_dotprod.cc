// Quantized products with the dot product of four signed bytes by four (SDOT: ARMv8.2 processors that have it, such as
// Neoverse N1 and Cortex-A76).
#include "kernels/cpu/quantized_product.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <hwy/base.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/cpu/quantized_extras.h"
#include "kernels/cpu/targets.h"
#include "kernels/grid_tables.h"
#include "kernels/packed_block.h"

HWY_PUSH_ATTRIBUTES("arch=armv8.2-a+dotprod")
namespace herd::cpu {
namespace {

#include "kernels/cpu/quantized_neon-inl.h"
#include "kernels/cpu/quantized_neon_dot-inl.h"

struct S : NeonDot {
  static constexpr int columns = 3;  // 12 sums of groups, 12 of blocks, 4 of codes, an input
  static constexpr int chains = 4;
};

// Shifts take their counts from vectors, so panels are decoded in loops: written out, they take the compiler minutes.
#pragma push_macro("HERD_UNROLL")
#undef HERD_UNROLL
#define HERD_UNROLL
#include "kernels/cpu/quantized_codes-inl.h"
#pragma pop_macro("HERD_UNROLL")
#include "kernels/cpu/quantized_tile-inl.h"

}  // namespace

const QuantizedKernels quantized_neon_dotprod{"neon_dotprod", 128, quantize, multiply, dot_chains};

}  // namespace herd::cpu
HWY_POP_ATTRIBUTES

#endif
