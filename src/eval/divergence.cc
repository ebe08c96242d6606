#include "eval/divergence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace herd::eval {
namespace {

// log of the sum of exp(logits), with the largest taken out.
double log_sum(std::span<const float> logits) {
  const double top = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float x : logits) sum += std::exp(double{x} - top);
  return top + std::log(sum);
}

}  // namespace

double surprise(std::span<const float> logits, std::int32_t token) {
  HERD_CHECK(token >= 0 && static_cast<std::size_t>(token) < logits.size(), "token {} of {}", token,
             logits.size());
  return log_sum(logits) - double{logits[static_cast<std::size_t>(token)]};
}

RowDivergence divergence(std::span<const float> p, std::span<const float> q) {
  HERD_CHECK(p.size() == q.size() && !p.empty(), "{} and {} logits", p.size(), q.size());
  const double p_sum = log_sum(p), q_sum = log_sum(q);
  double kl = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double log_p = double{p[i]} - p_sum;
    kl += std::exp(log_p) * (log_p - (double{q[i]} - q_sum));
  }
  return {.kl = std::max(0.0, kl),  // rounding may leave a hair below
          .same_top =
              std::ranges::max_element(p) - p.begin() == std::ranges::max_element(q) - q.begin()};
}

void DivergenceTotals::add(const RowDivergence& row) {
  kl_.push_back(row.kl);
  same_ += row.same_top ? 1 : 0;
}

double DivergenceTotals::mean_kl() const {
  return kl_.empty() ? 0
                     : std::accumulate(kl_.begin(), kl_.end(), 0.0) / static_cast<double>(rows());
}

double DivergenceTotals::top_agreement() const {
  return kl_.empty() ? 0 : static_cast<double>(same_) / static_cast<double>(rows());
}

double DivergenceTotals::kl_quantile(double share) const {
  if (kl_.empty()) return 0;
  std::vector<double> sorted = kl_;
  std::ranges::sort(sorted);
  const auto at = static_cast<std::size_t>(
      std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(at, 1) - 1];
}

}  // namespace herd::eval
