#include "train/balance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/tape.h"

namespace herd::train {

void Balance::saw(Context& ctx, std::string_view place, std::int64_t layer, const Tensor& x,
                  double share) {
  if (share <= 0) return;
  if (place == "router") logits_TE_ = x;
  if (place != "experts") return;
  if (!ctx.recomputing) {
    Load& load = loads_[layer];
    load.count.resize(static_cast<std::size_t>(experts_));
    for (const std::int32_t expert : x.as<std::int32_t>())
      ++load.count[static_cast<std::size_t>(expert)];
    load.share += share;
  }
  if (ctx.tape != nullptr) pull(ctx, layer, share);
}

void Balance::pull(Context& ctx, std::int64_t layer, double share) const {
  if (options_.pull == 0 && options_.z_pull == 0) return;
  const Tensor gradient = ctx.like(logits_TE_);
  balance_gradient(logits_TE_.as<float>(), fractions(layer), options_, share, gradient.as<float>());
  ctx.tape->give(logits_TE_, gradient);
}

std::vector<double> Balance::fractions(std::int64_t layer) const {
  std::vector<double> fraction(static_cast<std::size_t>(experts_));
  const auto add = [&](const Load& load, double weight) {
    const auto total =
        static_cast<double>(std::accumulate(load.count.begin(), load.count.end(), 0LL));
    if (total == 0) return;
    for (std::size_t e = 0; e < load.count.size(); ++e)
      fraction[e] += weight * static_cast<double>(load.count[e]) / total;
  };
  const auto now = loads_.find(layer);
  const auto before = last_.find(layer);
  const bool knows_both = now != loads_.end() && before != last_.end();
  const double seen = knows_both ? std::min(1.0, now->second.share) : 1.0;
  if (now != loads_.end()) add(now->second, seen);
  if (knows_both) add(before->second, 1.0 - seen);
  return fraction;
}

void Balance::begin_step() {
  if (!loads_.empty()) last_ = std::move(loads_);
  loads_.clear();
}

Balance::Counts Balance::counts() const {
  Counts counts;
  for (const auto& [layer, load] : loads_.empty() ? last_ : loads_) counts[layer] = load.count;
  return counts;
}

void Balance::set_counts(const Counts& counts) {
  loads_.clear();
  last_.clear();
  for (const auto& [layer, count] : counts)
    if (count.size() == static_cast<std::size_t>(experts_)) last_[layer] = {.count = count};
}

double Balance::Load::max_over_mean() const {
  const double total = static_cast<double>(std::accumulate(count.begin(), count.end(), 0LL));
  return total == 0 ? 0
                    : static_cast<double>(*std::ranges::max_element(count)) *
                          static_cast<double>(count.size()) / total;
}

std::int64_t Balance::Load::unused() const { return std::ranges::count(count, 0); }

double balance_gradient(std::span<const float> logits_TE, std::span<const double> fraction_E,
                        const BalanceOptions& options, double share, std::span<float> gradient_TE) {
  const std::size_t E = fraction_E.size(), T = logits_TE.size() / E;
  std::vector<double> s(E);
  const double scale = options.pull * static_cast<double>(E) / static_cast<double>(T);
  const double z_scale = options.z_pull / static_cast<double>(T * E);
  double loss = 0;
  for (std::size_t t = 0; t < T; ++t) {
    double total = 0, mean = 0;
    for (std::size_t e = 0; e < E; ++e) {
      s[e] = 1.0 / (1.0 + std::exp(-double{logits_TE[t * E + e]}));
      total += s[e];
      mean += fraction_E[e] * s[e];
    }
    mean /= total;
    loss += scale * mean;
    for (std::size_t e = 0; e < E; ++e) {
      const double logit = logits_TE[t * E + e];
      const double even = scale / total * (fraction_E[e] - mean) * s[e] * (1.0 - s[e]);
      gradient_TE[t * E + e] = static_cast<float>(share * (even + 2.0 * z_scale * logit));
      loss += z_scale * logit * logit;
    }
  }
  return loss;
}

}  // namespace herd::train
