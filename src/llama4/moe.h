// Llama 4's mixture of experts: a shared expert for every row, and for each row its best-scored routed ones, whose
// INPUT is scaled by the sigmoid of the score (scaling the output would be another function: SwiGLU is not linear).
// Spec 2.6.
//
// Letters: T rows, D width, E experts, K chosen a row, R = T K routed rows.
#pragma once

#include "llama4/config.h"
#include "nn/feed_forward.h"

namespace herd::llama4 {

class MoE {
 public:
  MoE(const TextConfig& config, std::int64_t layer);

  // x_TD [T, D] -> [T, D]
  Tensor operator()(Context& ctx, const Tensor& x_TD) const;

  void parameters(nn::ParameterVisitor& visitor);

 private:
  nn::Linear router_;
  std::vector<float> selection_bias_E_;  // empty but in training
  nn::Experts experts_;
  nn::FeedForward shared_expert_;
  std::int64_t layer_, experts_per_token_;
};

}  // namespace herd::llama4
