// AdamW over all parameters, with a global limit on the gradient's length. Rates differ by what a parameter is.
#pragma once

#include <cstdint>

#include "ops/context.h"
#include "train/parameters.h"

namespace herd::train {

struct OptimizerOptions {
  double rate = 2e-3;           // of hidden matrices, at the schedule's height
  double embedding_rate = 2.0;  // the others' as multiples of it
  double head_rate = 1.0;
  double router_rate = 1.0;
  double norm_rate = 1.0;  // norms and biases
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double decay = 0.1;      // of matrices; embeddings, norms and biases do not decay
  bool decay_all = false;  // of everything, as torch.optim.AdamW does it
  double clip = 1.0;       // limit on the length of the whole gradient; 0: none
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
