#include "ops/grad_check.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "ops/context.h"

namespace herd {
namespace {

// The weight of output number i in the sum whose gradient is looked at.
float weight_of(std::size_t i) { return static_cast<float>(2 * uniform(11, i) - 1); }

double weighted_sum(const Tensor& y) {
  double sum = 0;
  for (std::size_t i = 0; i < y.as<float>().size(); ++i)
    sum += double{weight_of(i)} * double{y.as<float>()[i]};
  return sum;
}

// (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12 h
double difference(Context& ctx, const Op& op, const std::vector<Tensor>& inputs, float& number,
                  double step) {
  const float before = number;
  const auto moved = [&](double by) {
    number = before + static_cast<float>(by);
    const Scratch scratch(ctx);
    return weighted_sum(op(ctx, inputs));
  };
  const double sum = moved(-2 * step) - 8 * moved(-step) + 8 * moved(step) - moved(2 * step);
  number = before;
  return sum / (12 * step);
}

}  // namespace

GradCheck grad_check(Context& ctx, const Op& op, const std::vector<Tensor>& inputs,
                     const std::vector<std::size_t>& leaves, double step) {
  Leaves buffers;
  std::vector<Tensor> gradients(inputs.size());
  for (const std::size_t leaf : leaves) {
    gradients[leaf] = ctx.like(inputs[leaf]);
    std::ranges::fill(gradients[leaf].as<float>(), 0.0f);
    buffers.emplace(inputs[leaf].data, gradients[leaf].as<float>().data());
  }
  Tape tape(ctx, buffers);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!gradients[i]) tape.want(inputs[i]);
  ctx.tape = &tape;
  const Tensor y = op(ctx, inputs);
  ctx.tape = nullptr;
  const Tensor dy = ctx.like(y);
  for (std::size_t i = 0; i < dy.as<float>().size(); ++i) dy.as<float>()[i] = weight_of(i);
  tape.share(y, dy);
  tape.backward();

  GradCheck found;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor gradient = gradients[i] ? gradients[i] : tape.gradient(inputs[i]);
    std::vector<double> wanted;
    double largest = 1e-6;
    for (float& number : inputs[i].as<float>()) {
      wanted.push_back(difference(ctx, op, inputs, number, step));
      largest = std::max(largest, std::abs(wanted.back()));
    }
    for (std::size_t n = 0; n < wanted.size(); ++n) {
      const double by_tape = gradient ? double{gradient.as<float>()[n]} : 0.0;
      const double error = std::abs(by_tape - wanted[n]) / largest;
      if (error <= found.worst) continue;
      found = {error, i, static_cast<std::int64_t>(n), by_tape, wanted[n]};
    }
  }
  return found;
}

}  // namespace herd
