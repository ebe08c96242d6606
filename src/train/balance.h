// Keeps experts in use. Llama 4's gate is not competitive: an expert that is not chosen gets no gradient, so without a
// pull towards even loads a router soon sends everything to a few. The pull is the auxiliary loss of Switch
// Transformers (Fedus et al. 2021) for sigmoid scores; what it adds to the gradient is given to the router's logits
// while the model runs, through the context's watch, so the model knows nothing of it.
//
// Loads are of a whole step, not of each piece that goes through the model: else every piece would have to be even in
// itself, and experts could not be for one kind of text. What the pieces of a step that are still to come will choose
// is not known when a piece is learned from; the last step's shares stand for them, so the last piece sees the exact
// ones.
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
  double bias_rate = 0.0;
  double bias_anneal = 0.4;

  static constexpr auto fields() {
    using O = BalanceOptions;
    return option_list(
        option("pull", &O::pull, "of the auxiliary loss, which is 1 at even loads", Range{0, 100}),
        option("z_pull", &O::z_pull, "of the mean square of the routers' logits", Range{0, 100}),
        option("bias_rate", &O::bias_rate,
               "that a step moves the bias of the choice of experts by (selection_bias.h)",
               Range{0, 1}),
        option("bias_anneal", &O::bias_anneal,
               "the last part of the training, over which that bias shrinks to zero", Range{0, 1}));
  }
};

class Balance {
 public:
  Balance(BalanceOptions options, std::int64_t experts) : options_(options), experts_(experts) {}

  // To be called by the context's watch. `share`: of this batch in the step's tokens; 0 where nothing is learned, which
  // is not counted.
  void saw(Context& ctx, std::string_view place, std::int64_t layer, const Tensor& x, double share);

  // Of the step's tokens so far, by layer.
  struct Load {
    std::vector<std::int64_t> count = {};  // [E]
    double share = 0;                      // of the step that these tokens are
    [[nodiscard]] double max_over_mean() const;
    [[nodiscard]] std::int64_t unused() const;
  };
  [[nodiscard]] const std::map<std::int64_t, Load>& loads() const { return loads_; }

  // The part of a layer's tokens that each expert gets: of the step so far, and of the last step for what is to come.
  [[nodiscard]] std::vector<double> fractions(std::int64_t layer) const;

  // The loads become the last step's.
  void begin_step();
  // Of the last step, by layer: what a training that is taken up again must know. Empty layers: none yet.
  using Counts = std::map<std::int64_t, std::vector<std::int64_t>>;
  [[nodiscard]] Counts counts() const;
  void set_counts(const Counts& counts);

 private:
  void pull(Context& ctx, std::int64_t layer, double share) const;

  BalanceOptions options_;
  std::int64_t experts_;
  std::map<std::int64_t, Load> loads_, last_;
  Tensor logits_TE_;  // of the layer that is running
};

// The gradient that the pull adds to logits_TE [T, E], given the fraction of the tokens that goes to each expert:
//   p[t, e] = s[t, e] / sum of s[t],  s = sigmoid(logits)
//   loss = pull E sum over e of fraction[e] mean over t of p[t, e]
//   d loss / d logit = pull E / (T sum of s[t]) (fraction[e] - sum over j of fraction[j] p[t, j]) s (1 - s)
// plus z_pull 2 / (T E) logit. Times `share`. Returns the loss.
double balance_gradient(std::span<const float> logits_TE, std::span<const double> fraction_E,
                        const BalanceOptions& options, double share, std::span<float> gradient_TE);

}  // namespace herd::train
