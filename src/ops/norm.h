// Normalisations.  T rows, D width, N heads, d head size.
#pragma once

#include "ops/context.h"

namespace herd {

// Root-mean-square norm (Zhang & Sennrich 2019): x / sqrt(mean(x^2) + eps) * weight, over the last axis.
//   x_TD [T, D], weight_D [D] -> [T, D]
Tensor rms_norm(Context& ctx, const Tensor& x_TD, const Tensor& weight_D, float eps);

// The same without a weight, for every head of a row: what Llama 4 calls its QK norm.
//   x_TNd [T, N, d] -> [T, N, d]
Tensor unit_norm(Context& ctx, const Tensor& x_TNd, float eps);

// Layer norm (Ba et al. 2016) with weight and bias; the vision encoder's.
//   x_TD [T, D], weight_D [D], bias_D [D] -> [T, D]
Tensor layer_norm(Context& ctx, const Tensor& x_TD, const Tensor& weight_D, const Tensor& bias_D,
                  float eps);

}  // namespace herd
