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
    return down(ctx, silu_mul(ctx, gate_up(ctx, x_TD)));
  }
  void parameters(ParameterVisitor& visitor) {
    visit(visitor, "gate_proj", gate);
    visit(visitor, "up_proj", up);
    visit(visitor, "down_proj", down);
  }

 private:
  // Both in one pass over x where nothing is added to them.   [T, D] -> [T, 2I]
  [[nodiscard]] Tensor gate_up(Context& ctx, const Tensor& x_TD) const {
    if (gate.adapter.adds(ctx) || up.adapter.adds(ctx))
      return beside(ctx, gate(ctx, x_TD), up(ctx, x_TD));
    return matmul_side_by_side(ctx, x_TD, {gate.weight, up.weight});
  }
};

struct Experts {
  ExpertMatrices matrices;
  Adapter gate_up_adapter;  // (2I, D), gate before up
  Adapter down_adapter;     // (D, I)

  Experts() = default;
  Experts(std::int64_t experts, std::int64_t width, std::int64_t inner)
      : gate_up_adapter(width, 2 * inner, experts), down_adapter(inner, width, experts) {
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
    const Tensor gate_up_RF = matmul_by_expert(ctx, x_RD, matrices.gate, matrices.up, routes.begin);
    const Tensor inner_RI = silu_mul(ctx, gate_up_adapter.add_to(ctx, gate_up_RF, x_RD, routes));
    const Tensor out_RD = matmul_by_expert(ctx, inner_RI, matrices.down, {}, routes.begin);
    return down_adapter.add_to(ctx, out_RD, inner_RI, routes);
  }
  void parameters(ParameterVisitor& visitor) {
    visitor.experts(visitor.path("experts"), matrices);
    visitor.adapter(visitor.path("experts.gate_up_proj"), gate_up_adapter);
    visitor.adapter(visitor.path("experts.down_proj"), down_adapter);
  }
};

}  // namespace herd::nn
