// How two models' predictions differ, row by row of logits: what quantization costs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace herd::eval {

// -log of the probability that softmax(logits) gives the token, in nats.
double surprise(std::span<const float> logits, std::int32_t token);

struct RowDivergence {
  double kl = 0;  // KL(softmax(p) || softmax(q)) in nats
  bool same_top = false;
};
RowDivergence divergence(std::span<const float> p, std::span<const float> q);

// Of many rows.
class DivergenceTotals {
 public:
  void add(const RowDivergence& row);
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(kl_.size()); }
  // Zero of no rows.
  [[nodiscard]] double mean_kl() const;
  [[nodiscard]] double top_agreement() const;  // share of rows whose likeliest token is the same
  // The divergence that this share of the rows stays at or below, 0 to 1.
  [[nodiscard]] double kl_quantile(double share) const;

 private:
  std::vector<double> kl_;
  std::int64_t same_ = 0;
};

}  // namespace herd::eval
