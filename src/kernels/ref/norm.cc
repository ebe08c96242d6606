#include <cmath>

#include "kernels/ref/ref.h"

namespace herd::ref {

void rms_norm(const RmsNormArgs& args, const Lane&) {
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* x = args.x + t * args.D;
    float* y = args.y + t * args.D;
    double squares = 0;
    for (std::int64_t i = 0; i < args.D; ++i) squares += double{x[i]} * double{x[i]};
    const double rms = std::sqrt(squares / static_cast<double>(args.D) + double{args.eps});
    for (std::int64_t i = 0; i < args.D; ++i) {
      const double weight = args.weight != nullptr ? double{args.weight[i]} : 1.0;
      y[i] = static_cast<float>(double{x[i]} / rms * weight);
    }
  }
}

void layer_norm(const LayerNormArgs& args, const Lane&) {
  const auto width = static_cast<double>(args.D);
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* x = args.x + t * args.D;
    float* y = args.y + t * args.D;
    double sum = 0;
    for (std::int64_t i = 0; i < args.D; ++i) sum += double{x[i]};
    const double mean = sum / width;
    double squares = 0;
    for (std::int64_t i = 0; i < args.D; ++i)
      squares += (double{x[i]} - mean) * (double{x[i]} - mean);
    const double deviation = std::sqrt(squares / width + double{args.eps});
    for (std::int64_t i = 0; i < args.D; ++i)
      y[i] = static_cast<float>((double{x[i]} - mean) / deviation * double{args.weight[i]} +
                                double{args.bias[i]});
  }
}

}  // namespace herd::ref
