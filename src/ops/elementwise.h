// Functions that treat every element, or every row, by itself.
#pragma once

#include <span>

#include "ops/context.h"

namespace herd {

// a + b, same shapes.
Tensor add(Context& ctx, const Tensor& a, const Tensor& b);

// silu(gate) * up (SwiGLU, Shazeer 2020): gate_up_TF [T, 2I] holds gate in columns [0, I) and up in [I, 2I) -> [T, I]
Tensor silu_mul(Context& ctx, const Tensor& gate_up_TF);

// x (1 + erf(x / sqrt 2)) / 2, the exact form. Any shape.
Tensor gelu(Context& ctx, const Tensor& x);

// 1 / (1 + e^-x). Any shape.
Tensor sigmoid(Context& ctx, const Tensor& x);

// Columns of b behind those of a.   a [T, I], b [T, J] -> [T, I + J]
Tensor beside(Context& ctx, const Tensor& a_TI, const Tensor& b_TJ);

// Every row of x times its factor, which must live as long as the tape where there is one.
//   x [T, ...], factor_T [T] -> the shape of x
Tensor scale_rows(Context& ctx, const Tensor& x, std::span<const float> factor_T);

// Copies numbers of equal count into an existing tensor.
void copy(const Tensor& from, const Tensor& to);

}  // namespace herd
