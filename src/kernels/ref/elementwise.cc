#include <cmath>

#include "kernels/ref/ref.h"

namespace herd::ref {

void silu_mul(const SiluMulArgs& args, const Lane&) {
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* gate = args.gate_up + t * 2 * args.I;
    const float* up = gate + args.I;
    float* y = args.y + t * args.I;
    for (std::int64_t i = 0; i < args.I; ++i) {
      const double g = double{gate[i]};
      y[i] = static_cast<float>(g / (1 + std::exp(-g)) * double{up[i]});
    }
  }
}

void gelu(const GeluArgs& args, const Lane&) {
  constexpr double sqrt_half = 0.70710678118654752440;
  for (std::int64_t i = 0; i < args.count; ++i) {
    const double x = double{args.x[i]};
    // 1 + erf(z) = erfc(-z), which does not cancel where erf is near -1.
    args.y[i] = static_cast<float>(x * std::erfc(-x * sqrt_half) / 2);
  }
}

void add(const AddArgs& args, const Lane&) {
  for (std::int64_t i = 0; i < args.count; ++i) args.y[i] = args.a[i] + args.b[i];
}

void sigmoid(const SigmoidArgs& args, const Lane&) {
  for (std::int64_t i = 0; i < args.count; ++i)
    args.y[i] = static_cast<float>(1 / (1 + std::exp(-double{args.x[i]})));
}

void scale_rows(const ScaleRowsArgs& args, const Lane&) {
  for (std::int64_t t = 0; t < args.T; ++t)
    for (std::int64_t i = 0; i < args.D; ++i)
      args.y[t * args.y_stride + i] = args.x[t * args.x_stride + i] * args.factor[t];
}

}  // namespace herd::ref
