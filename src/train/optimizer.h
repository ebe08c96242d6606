// AdamW over all parameters, or Muon for matrices between hidden values and AdamW for the rest; with a global limit on
// the gradient's length. Rates differ by what a parameter is.
#pragma once

#include <cstdint>

#include "base/options.h"
#include "ops/context.h"
#include "train/parameters.h"

namespace herd::train {

struct OptimizerOptions {
  double rate = 2e-3;
  double embedding_rate = 2.0;
  double head_rate = 1.0;
  double router_rate = 1.0;
  double norm_rate = 1.0;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double decay = 0.1;
  bool decay_all = false;
  double clip = 1.0;
  bool muon = false;
  double muon_momentum = 0.95;

  static constexpr auto fields() {
    using O = OptimizerOptions;
    constexpr Range factor{0, 1000};
    return option_list(
        option("rate", &O::rate, "of hidden matrices, where the schedule's height is 1",
               Range{0, 10}),
        option("embedding_rate", &O::embedding_rate, "of embeddings, times the rate", factor),
        option("head_rate", &O::head_rate, "of the output matrix, times the rate", factor),
        option("router_rate", &O::router_rate, "of routers, times the rate", factor),
        option("norm_rate", &O::norm_rate, "of norms and biases, times the rate", factor),
        option("beta1", &O::beta1, "memory of the gradient", Range{0, 0.9999}),
        option("beta2", &O::beta2, "memory of its square", Range{0, 0.999999}),
        option("eps", &O::eps, "added to the square's root", Range{1e-20, 1}),
        option("decay", &O::decay, "of matrices towards zero, times the rate", Range{0, 10}),
        option("decay_all", &O::decay_all, "of embeddings, norms and biases too, as PyTorch does"),
        option("clip", &O::clip, "longest gradient of all parameters together; 0: any",
               Range{0, 1e9}),
        option("muon", &O::muon, "Muon instead of AdamW for matrices between hidden values"),
        option("muon_momentum", &O::muon_momentum, "its memory of the gradient", Range{0, 0.9999}));
  }
};

class Optimizer {
 public:
  explicit Optimizer(OptimizerOptions options) : options_(options) {}

  // The length of the gradient of all parameters together.
  [[nodiscard]] static double gradient_length(Context& ctx, const Parameters& parameters);

  // One step; `height` is the schedule's factor, `length` what gradient_length() said. Gradients become zero.
  void step(Context& ctx, const Parameters& parameters, double height, double length);

  [[nodiscard]] std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }  // when a training is taken up again
  [[nodiscard]] const OptimizerOptions& options() const { return options_; }

 private:
  [[nodiscard]] double rate_of(const Parameter& parameter) const;

  OptimizerOptions options_;
  std::int64_t steps_ = 0;
};

}  // namespace herd::train
