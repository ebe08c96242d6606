// Balances experts without a loss: what a router's scores are shifted by when experts are chosen, and only then, is
// moved after each step towards those that had too few tokens (Wang et al. 2024). The scores that scale the experts'
// inputs stay as they are. A released Llama 4 has no such shift, so over the last part of a training it is drawn to
// zero, and a model is written only when it is there.
//   E experts
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "llama4/model.h"

namespace herd::train {

struct SelectionBiasOptions {
  double rate = 0;  // that a step moves a bias by; 0: there is none
  double anneal =
      0.4;  // the last part of the training, over which what is in use shrinks to nothing
};

class SelectionBias {
 public:
  // `model` must outlive it. Without a rate the model is left alone.
  SelectionBias(SelectionBiasOptions options, llama4::Model& model);

  // The part of what was learned that is in use when so much of a training is done (0 to 1).
  [[nodiscard]] double part(double done) const;
  // Puts it to use.
  void apply(double done);
  // Moves it by what a step's experts got: tokens by layer.
  void learn(const std::map<std::int64_t, std::vector<std::int64_t>>& tokens);

  // What was learned, by layer, before it shrinks: what a training that is taken up again must know.
  using Values = std::map<std::int64_t, std::vector<double>>;
  [[nodiscard]] const Values& values() const { return values_; }
  // Of layers and sizes as the model's; others are passed over.
  void set_values(const Values& values);

  // The largest magnitude in use.
  [[nodiscard]] double largest() const;

 private:
  SelectionBiasOptions options_;
  std::map<std::int64_t, std::vector<float>*> in_use_;
  Values values_;
};

// The largest magnitude in use in any router of the model.
double largest_selection_bias(llama4::Model& model);

}  // namespace herd::train
