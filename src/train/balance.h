// Keeps experts in use. Llama 4's gate is not competitive: an expert that is not chosen gets no gradient, so without a
// pull towards even loads a router soon sends everything to a few. The pull is the auxiliary loss of Switch
// Transformers (Fedus et al. 2021) for sigmoid scores; what it adds to the gradient is given to the router's logits
// while the model runs, through the context's watch, so the model knows nothing of it.
//   T tokens, E experts, K chosen
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "base/options.h"
#include "ops/context.h"

namespace herd::train {

struct BalanceOptions {
  double pull = 1e-2;
  double z_pull = 0.0;

  static constexpr auto fields() {
    using O = BalanceOptions;
    return option_list(
        option("pull", &O::pull, "of the auxiliary loss, which is 1 at even loads", Range{0, 100}),
        option("z_pull", &O::z_pull, "of the mean square of the routers' logits", Range{0, 100}));
  }
};

class Balance {
 public:
  Balance(BalanceOptions options, std::int64_t experts) : options_(options), experts_(experts) {}

  // To be called by the context's watch. `share`: of this batch in the step's mean.
  void saw(Context& ctx, std::string_view place, std::int64_t layer, const Tensor& x, double share);

  // Of the tokens since reset(), by layer.
  struct Load {
    std::vector<std::int64_t> count;  // [E]
    [[nodiscard]] double max_over_mean() const;
    [[nodiscard]] std::int64_t unused() const;
  };
  [[nodiscard]] const std::map<std::int64_t, Load>& loads() const { return loads_; }
  void reset() { loads_.clear(); }

 private:
  void pull(Context& ctx, const Tensor& logits_TE, const Tensor& expert_TK, double share) const;

  BalanceOptions options_;
  std::int64_t experts_;
  std::map<std::int64_t, Load> loads_;
  Tensor logits_TE_;  // of the layer that is running
};

// The gradient that the pull adds to logits_TE [T, E], given how many of the T tokens went to each expert:
//   p[t, e] = s[t, e] / sum of s[t],  s = sigmoid(logits)
//   loss = pull E sum over e of fraction[e] mean over t of p[t, e]
//   d loss / d logit = pull E / (T sum of s[t]) (fraction[e] - sum over j of fraction[j] p[t, j]) s (1 - s)
// plus z_pull 2 / (T E) logit. Times `share`. Returns the loss.
double balance_gradient(std::span<const float> logits_TE, std::span<const std::int64_t> count_E,
                        const BalanceOptions& options, double share, std::span<float> gradient_TE);

}  // namespace herd::train
