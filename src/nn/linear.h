// A linear layer: y = x W^T + b, and what an adapter adds.
#pragma once

#include "nn/adapter.h"
#include "nn/parameter.h"
#include "ops/matmul.h"

namespace herd::nn {

struct Linear {
  Matrix weight;  // (out, in)
  Tensor bias_O;  // [out], or empty
  Adapter adapter;

  Linear() = default;
  Linear(std::int64_t in, std::int64_t out, bool biased = false)
      : weight{.out = out, .in = in, .stride = in}, adapter(in, out), biased_(biased) {
    if (biased) bias_O.shape = {out};
  }

  // x_TI [T, in] -> [T, out]
  Tensor operator()(Context& ctx, const Tensor& x_TI) const {
    return adapter.add_to(ctx, matmul(ctx, x_TI, weight, bias_O), x_TI);
  }

  void parameters(ParameterVisitor& visitor) {
    visitor.matrix(visitor.path("weight"), weight);
    visitor.adapter(visitor.layer(), adapter);
    if (biased_) visitor.vector(visitor.path("bias"), bias_O);
  }

 private:
  bool biased_ = false;
};

}  // namespace herd::nn
