#include "llama4/moe.h"

#include "ops/elementwise.h"
#include "ops/route.h"

namespace herd::llama4 {

MoE::MoE(const TextConfig& config, std::int64_t layer)
    : router_(config.width, config.experts),
      experts_(config.experts, config.width, config.expert_width),
      shared_expert_(config.width, config.expert_width),
      layer_(layer),
      experts_per_token_(config.experts_per_token) {}

Tensor MoE::operator()(Context& ctx, const Tensor& x_TD) const {
  const Tensor logits_TE = router_(ctx, x_TD);
  const auto [logit_TK, expert_TK] = top_k(ctx, logits_TE, experts_per_token_, selection_bias_E_);
  ctx.saw("router", layer_, logits_TE);
  ctx.saw("experts", layer_, expert_TK);
  const Routes routes = group_by_expert(expert_TK, experts_.count());
  const Tensor in_RD = gather_scaled(ctx, x_TD, routes, sigmoid(ctx, logit_TK));
  const Tensor out_RD = experts_(ctx, in_RD, routes);
  return scatter_add(ctx, shared_expert_(ctx, x_TD), out_RD, routes);
}

void MoE::parameters(nn::ParameterVisitor& visitor) {
  nn::visit(visitor, "router", router_);
  visitor.selection_bias(visitor.path("router"), selection_bias_E_);
  experts_.parameters(visitor);
  nn::visit(visitor, "shared_expert", shared_expert_);
}

}  // namespace herd::llama4
