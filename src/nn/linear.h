// A linear layer: y = x W^T + b.
#pragma once

#include "nn/parameter.h"
#include "ops/matmul.h"

namespace herd::nn {

struct Linear {
  Matrix weight;  // (out, in)
  Tensor bias_O;  // [out], or empty

  Linear() = default;
  Linear(std::int64_t in, std::int64_t out, bool biased = false)
      : weight{.out = out, .in = in, .stride = in}, biased_(biased) {
    if (biased) bias_O.shape = {out};
  }

  // x_TI [T, in] -> [T, out]
  Tensor operator()(Context& ctx, const Tensor& x_TI) const {
    return matmul(ctx, x_TI, weight, bias_O);
  }

  void parameters(ParameterVisitor& visitor) {
    visitor.matrix(visitor.path("weight"), weight);
    if (biased_) visitor.vector(visitor.path("bias"), bias_O);
  }

 private:
  bool biased_ = false;
};

}  // namespace herd::nn
