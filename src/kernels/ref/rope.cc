#include "kernels/ref/ref.h"

namespace herd::ref {

void rope(const RopeArgs& args, const Lane&) {
  const std::int64_t pairs = args.d / 2;
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* cos = args.cos + t * pairs;
    const float* sin = args.sin + t * pairs;
    for (std::int64_t n = 0; n < args.N; ++n) {
      const float* x = args.x + t * args.x_stride + n * args.d;
      float* y = args.y + t * args.y_stride + n * args.d;
      for (std::int64_t i = 0; i < pairs; ++i) {
        const double even = double{x[2 * i]}, odd = double{x[2 * i + 1]};
        const double c = double{cos[i]}, s = double{sin[i]};
        y[2 * i] = static_cast<float>(even * c - odd * s);
        y[2 * i + 1] = static_cast<float>(even * s + odd * c);
      }
    }
  }
}

}  // namespace herd::ref
