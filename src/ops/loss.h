// The loss of a language model, from the last hidden values: all logits are never held at once.
//   n rows, D width, V vocabulary
#pragma once

#include <span>

#include "ops/context.h"
#include "tensor/matrix.h"

namespace herd {

// -log softmax(h W^T)[target] of every row, in nats; rows of weight 0 are skipped and have loss 0.
// With a tape, the gradient of sum over rows of weight * loss is given to h and to W at once: this is where gradients
// start, so nothing is recorded.
//   h_nD [n, D], output (V, D), target [n] in [0, V), weight [n] -> [n]
Tensor cross_entropy(Context& ctx, const Tensor& h_nD, const Matrix& output,
                     std::span<const std::int32_t> target_n, std::span<const float> weight_n);

}  // namespace herd
