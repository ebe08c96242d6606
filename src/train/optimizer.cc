#include "train/optimizer.h"

#include <cmath>
#include <numeric>

#include "train/muon.h"

namespace herd::train {

double Optimizer::gradient_length(Context& ctx, const Parameters& parameters) {
  const auto count = static_cast<std::int64_t>(parameters.gradients().size());
  std::vector<double> pieces(
      static_cast<std::size_t>((count + squares_per_piece - 1) / squares_per_piece));
  ctx.kernels.sum_squares(
      {.x = parameters.gradients().data(), .sum = pieces.data(), .count = count}, ctx.lane);
  return std::sqrt(std::accumulate(pieces.begin(), pieces.end(), 0.0));
}

void Optimizer::step(Context& ctx, const Parameters& parameters, double height, double length) {
  ++steps_;
  const auto correction = [&](double beta) {
    return static_cast<float>(1.0 / (1.0 - std::pow(beta, static_cast<double>(steps_))));
  };
  const bool too_long = options_.clip > 0 && length > options_.clip;
  const float factor = too_long ? static_cast<float>(options_.clip / (length + 1e-6)) : 1.0f;
  if (options_.muon)
    Muon::step(ctx, parameters,
               {.rate = static_cast<float>(height * options_.rate),
                .momentum = static_cast<float>(options_.muon_momentum),
                .decay = static_cast<float>(options_.decay),
                .factor = factor});
  for (const Parameter& parameter : parameters.list()) {
    if (options_.muon && Muon::takes(parameter)) continue;
    const bool is_matrix = parameter.role == Role::hidden || parameter.role == Role::output ||
                           parameter.role == Role::router || parameter.role == Role::head;
    ctx.kernels.adamw(
        {.w = Parameters::part(parameters.weights(), parameter).data(),
         .gradient = Parameters::part(parameters.gradients(), parameter).data(),
         .m = Parameters::part(parameters.first_moments(), parameter).data(),
         .v = Parameters::part(parameters.second_moments(), parameter).data(),
         .count = parameter.count,
         .factor = factor,
         .rate = static_cast<float>(height * rate_of(parameter)),
         .beta1 = static_cast<float>(options_.beta1),
         .beta2 = static_cast<float>(options_.beta2),
         .eps = static_cast<float>(options_.eps),
         .decay = is_matrix || options_.decay_all ? static_cast<float>(options_.decay) : 0.0f,
         .correction1 = correction(options_.beta1),
         .correction2 = correction(options_.beta2)},
        ctx.lane);
  }
}

double Optimizer::rate_of(const Parameter& parameter) const {
  switch (parameter.role) {
    case Role::embedding:
      return options_.rate * options_.embedding_rate;
    case Role::head:
      return options_.rate * options_.head_rate;
    case Role::router:
      return options_.rate * options_.router_rate;
    case Role::norm:
    case Role::bias:
      return options_.rate * options_.norm_rate;
    case Role::hidden:
    case Role::output:
    case Role::adapter:
      return options_.rate;
  }
  return options_.rate;
}

}  // namespace herd::train
