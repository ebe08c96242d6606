// Norm layers: ops/norm.h with the parameters they own.
#pragma once

#include "nn/parameter.h"
#include "ops/norm.h"

namespace herd::nn {

struct RmsNorm {
  Tensor weight_D;
  float eps = 0;

  RmsNorm() = default;
  RmsNorm(std::int64_t width, double epsilon) : eps(static_cast<float>(epsilon)) {
    weight_D.shape = {width};
  }
  Tensor operator()(Context& ctx, const Tensor& x_TD) const {
    return rms_norm(ctx, x_TD, weight_D, eps);
  }
  void parameters(ParameterVisitor& visitor) { visitor.vector(visitor.path("weight"), weight_D); }
};

struct LayerNorm {
  Tensor weight_D;
  Tensor bias_D;
  float eps = 0;

  LayerNorm() = default;
  LayerNorm(std::int64_t width, double epsilon) : eps(static_cast<float>(epsilon)) {
    weight_D.shape = {width};
    bias_D.shape = {width};
  }
  Tensor operator()(Context& ctx, const Tensor& x_TD) const {
    return layer_norm(ctx, x_TD, weight_D, bias_D, eps);
  }
  void parameters(ParameterVisitor& visitor) {
    visitor.vector(visitor.path("weight"), weight_D);
    visitor.vector(visitor.path("bias"), bias_D);
  }
};

}  // namespace herd::nn
