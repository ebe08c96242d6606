// Gradients against differences: what the tape says against what happens when a number is moved a little. For tests.
//
// Values are float32, so a difference knows only about four digits; each op's gradient kernels are compared more
// sharply with scalar ones in kernels/parity_test.cc, and whole models with PyTorch in tests/gradients_test.cc. This
// finds a wrong formula, which those two could share.
#pragma once

#include <functional>
#include <vector>

#include "ops/tape.h"

namespace herd {

// An op of some tensors, each of which may be moved.
using Op = std::function<Tensor(Context&, const std::vector<Tensor>&)>;

// Where op(inputs) and its tape disagree most, of all inputs' numbers, relative to the largest gradient of the input.
// The gradient is that of a random weighted sum of the outputs. Numbers move by `step`, in differences of fourth order.
// Inputs named in `leaves` are parameters, whose gradients are gathered outside the tape.
struct GradCheck {
  double worst = 0;
  std::size_t input = 0;
  std::int64_t number = 0;
  double by_tape = 0, by_difference = 0;
};
GradCheck grad_check(Context& ctx, const Op& op, const std::vector<Tensor>& inputs,
                     const std::vector<std::size_t>& leaves = {}, double step = 0.02);

}  // namespace herd
