// Products with packed weights: what differs between instruction sets is behind one struct of functions. The sums of
// integers inside a block of 256 inputs are exact and what follows is one formula in float32 in the order of blocks, so
// all of them give the same bits, for one row or a thousand.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/cpu/matmul_plan.h"
#include "kernels/cpu/quantized_rows.h"

namespace herd::cpu {

// A part of a product: `rows` rows by outputs [out_begin, out_end) of a packed matrix; out_begin is a multiple of 16.
struct QuantizedItem {
  const Matrix* weight = nullptr;
  const QuantizedInputs* x =
      nullptr;  // first row of the first block of inputs, with the weight's input_scales()
  std::int64_t x_step = 0;  // blocks from one block of inputs to the next
  std::int64_t rows = 0;
  std::int64_t out_begin = 0, out_end = 0;
  // Results: [ceil(outs / 16)] times [rows, 16] floats.
  float* y = nullptr;
};

struct QuantizedKernels {
  std::string_view name;
  int bits = 0;  // of a vector
  // Quantizes one row of `in` numbers into ceil(in / 256) blocks, `step` blocks apart.
  void (*quantize)(InputScales scales, const float* x, std::int64_t in, QuantizedInputs* to,
                   std::int64_t step);
  // Uses `scratch`, product_scratch bytes aligned to 64.
  void (*multiply)(const QuantizedItem& item, void* scratch);
  // `rounds` rounds of independent four-by-four-byte products in registers, for measuring; returns operations done, a
  // multiplication and an addition being two.
  double (*dot_chains)(std::int64_t rounds);
};

inline constexpr std::int64_t product_scratch = 16384;
// Rows of x that a call may read beyond its last (their results are thrown away).
inline constexpr std::int64_t rows_beyond = 16;

// Those that this processor has, best first. The last works everywhere.
std::span<const QuantizedKernels* const> quantized_kernels();
std::vector<std::string_view> quantized_kernel_names();
// The best that the chosen instruction set (instruction_set.h) allows.
const QuantizedKernels& chosen_quantized_kernels();
// Makes products use the one of quantized_kernels() with this name, whatever the instruction set, or the chosen one
// again for ""; products in bfloat16 follow in the width of their vectors. No kernel may run meanwhile. False if there
// is no such name.
bool force_quantized_kernels(std::string_view name);
// Whether products are to keep to vectors of less than 512 bits, though the processor has them.
bool forced_below_512_bits();

extern const QuantizedKernels quantized_vnni512;
extern const QuantizedKernels quantized_vnni256;
extern const QuantizedKernels quantized_avx_vnni;
extern const QuantizedKernels quantized_avx2;
extern const QuantizedKernels quantized_neon_i8mm;
extern const QuantizedKernels quantized_neon_dotprod;
extern const QuantizedKernels quantized_neon;
extern const QuantizedKernels quantized_portable;

}  // namespace herd::cpu
