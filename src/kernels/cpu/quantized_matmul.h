// Products with packed weights, from one call of matmul to the kernels of an instruction set: x is quantized once for
// all groups, then items are multiplied.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/cpu/matmul_plan.h"
#include "kernels/cpu/quantized_product.h"

namespace herd::cpu {

// The rows of one call's x that packed groups use, as integers; nothing where there is no such group. Memory is the
// calling thread's, reused by its next.
class QuantizedRows {
 public:
  QuantizedRows(const MatmulArgs& args, const Lane& lane);

  // One item of a packed group. Any thread.
  void multiply(const MatmulItem& item) const;

 private:
  const QuantizedKernels* kernels_ = nullptr;
  // [ceil(in / 256), rows] by InputScales, where a group's weights want them.
  std::array<const QuantizedInputs*, 2> blocks_{};
  std::int64_t row_begin_ = 0, rows_ = 0;
};

}  // namespace herd::cpu
