// Products with weight matrices: the only place where the weights' number formats matter.
#pragma once

#include <initializer_list>
#include <span>

#include "ops/context.h"
#include "tensor/matrix.h"

namespace herd {

// x W^T + bias.   x_TI [T, in], weight (out, in), bias [out] or empty -> [T, out]
Tensor matmul(Context& ctx, const Tensor& x_TI, const Matrix& weight, const Tensor& bias = {});

// Several matrices applied to the same rows, their outputs side by side: gate and up in one pass over x.
//   x_TI [T, in], weights (out_j, in) -> [T, sum of out_j]
Tensor matmul_side_by_side(Context& ctx, const Tensor& x_TI, std::initializer_list<Matrix> weights);

// Rows [begin_e, begin_{e+1}) of x use the matrices of expert e; experts run from one queue without barriers.
//   x_RI [R, in], weights[e] = the matrices of expert e, side by side -> [R, sum of out]
Tensor matmul_by_expert(Context& ctx, const Tensor& x_RI, std::span<const Matrix> first,
                        std::span<const Matrix> second, std::span<const std::int64_t> begin);

}  // namespace herd
