#include "train/balance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/tape.h"

namespace herd::train {

void Balance::saw(Context& ctx, std::string_view place, std::int64_t layer, const Tensor& x,
                  double share) {
  if (place == "router") logits_TE_ = x;
  if (place != "experts") return;
  if (!ctx.recomputing) {
    std::vector<std::int64_t>& count = loads_[layer].count;
    count.resize(static_cast<std::size_t>(experts_));
    for (const std::int32_t expert : x.as<std::int32_t>())
      ++count[static_cast<std::size_t>(expert)];
  }
  if (ctx.tape != nullptr) pull(ctx, logits_TE_, x, share);
}

void Balance::pull(Context& ctx, const Tensor& logits_TE, const Tensor& expert_TK,
                   double share) const {
  if (options_.pull == 0 && options_.z_pull == 0) return;
  std::vector<std::int64_t> count(static_cast<std::size_t>(experts_));
  for (const std::int32_t expert : expert_TK.as<std::int32_t>())
    ++count[static_cast<std::size_t>(expert)];
  const Tensor gradient = ctx.like(logits_TE);
  balance_gradient(logits_TE.as<float>(), count, options_, share, gradient.as<float>());
  ctx.tape->give(logits_TE, gradient);
}

double Balance::Load::max_over_mean() const {
  const double total = static_cast<double>(std::accumulate(count.begin(), count.end(), 0LL));
  return total == 0 ? 0
                    : static_cast<double>(*std::ranges::max_element(count)) *
                          static_cast<double>(count.size()) / total;
}

std::int64_t Balance::Load::unused() const { return std::ranges::count(count, 0); }

double balance_gradient(std::span<const float> logits_TE, std::span<const std::int64_t> count_E,
                        const BalanceOptions& options, double share, std::span<float> gradient_TE) {
  const std::size_t E = count_E.size(), T = logits_TE.size() / E;
  const auto chosen = static_cast<double>(std::accumulate(count_E.begin(), count_E.end(), 0LL));
  std::vector<double> fraction(E), s(E);
  for (std::size_t e = 0; e < E; ++e) fraction[e] = static_cast<double>(count_E[e]) / chosen;
  const double scale = options.pull * static_cast<double>(E) / static_cast<double>(T);
  const double z_scale = options.z_pull / static_cast<double>(T * E);
  double loss = 0;
  for (std::size_t t = 0; t < T; ++t) {
    double total = 0, mean = 0;
    for (std::size_t e = 0; e < E; ++e) {
      s[e] = 1.0 / (1.0 + std::exp(-double{logits_TE[t * E + e]}));
      total += s[e];
      mean += fraction[e] * s[e];
    }
    mean /= total;
    loss += scale * mean;
    for (std::size_t e = 0; e < E; ++e) {
      const double logit = logits_TE[t * E + e];
      const double even = scale / total * (fraction[e] - mean) * s[e] * (1.0 - s[e]);
      gradient_TE[t * E + e] = static_cast<float>(share * (even + 2.0 * z_scale * logit));
      loss += z_scale * logit * logit;
    }
  }
  return loss;
}

}  // namespace herd::train
