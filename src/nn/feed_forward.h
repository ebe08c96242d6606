// The gated feed-forward (SwiGLU, Shazeer 2020): down(silu(gate x) * up x). Llama 4's dense layers, its shared expert
// and, many at once, its routed experts.  T rows, R routed rows, D width, I inner width, E experts.
#pragma once

#include "nn/linear.h"
#include "ops/elementwise.h"
#include "ops/route.h"

namespace herd::nn {

struct FeedForward {
  Linear gate, up;  // (I, D)
  Linear down;      // (D, I)

  FeedForward() = default;
  FeedForward(std::int64_t width, std::int64_t inner)
      : gate(width, inner), up(width, inner), down(inner, width) {}

  // x_TD [T, D] -> [T, D]
  Tensor operator()(Context& ctx, const Tensor& x_TD) const {
    return down(ctx, silu_mul(ctx, matmul_side_by_side(ctx, x_TD, {gate.weight, up.weight})));
  }
  void parameters(ParameterVisitor& visitor) {
    visit(visitor, "gate_proj", gate);
    visit(visitor, "up_proj", up);
    visit(visitor, "down_proj", down);
  }
};

struct Experts {
  ExpertMatrices matrices;

  Experts() = default;
  Experts(std::int64_t experts, std::int64_t width, std::int64_t inner) {
    const auto count = static_cast<std::size_t>(experts);
    matrices.gate.assign(count, {.out = inner, .in = width, .stride = width});
    matrices.up = matrices.gate;
    matrices.down.assign(count, {.out = width, .in = inner, .stride = inner});
  }
  [[nodiscard]] std::int64_t count() const {
    return static_cast<std::int64_t>(matrices.gate.size());
  }

  // Rows sorted by expert, each through its own.   x_RD [R, D] -> [R, D]
  Tensor operator()(Context& ctx, const Tensor& x_RD, const Routes& routes) const {
    const Tensor inner_RI =
        silu_mul(ctx, matmul_by_expert(ctx, x_RD, matrices.gate, matrices.up, routes.begin));
    return matmul_by_expert(ctx, inner_RI, matrices.down, {}, routes.begin);
  }
  void parameters(ParameterVisitor& visitor) { visitor.experts(visitor.path("experts"), matrices); }
};

}  // namespace herd::nn
