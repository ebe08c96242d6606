#include <cmath>
#include <cstddef>

#include "kernels/ref/ref.h"
#include "quant/formats.h"

namespace herd::ref {
namespace {

// Descending; NaN after every number, so that a row of NaN still yields K different indices.
bool goes_before(float a, float b) { return a > b || (std::isnan(b) && !std::isnan(a)); }

}  // namespace

void gather(const GatherArgs& args, const Lane&) {
  for (std::int64_t r = 0; r < args.R; ++r) {
    const float factor = args.factor != nullptr ? args.factor[r] : 1.0f;
    const auto* from =
        static_cast<const std::byte*>(args.table) + bytes_of(args.dtype, args.row[r] * args.D);
    float* y = args.y + r * args.D;
    quant::decode_row(args.dtype, from, y, args.D);
    for (std::int64_t i = 0; i < args.D; ++i) y[i] *= factor;
  }
}

void gather_add(const GatherAddArgs& args, const Lane&) {
  for (std::int64_t t = 0; t < args.T; ++t)
    for (std::int64_t i = 0; i < args.D; ++i) {
      float sum = args.base[t * args.D + i];
      for (std::int64_t k = 0; k < args.K; ++k)
        sum += args.x[args.row[t * args.K + k] * args.D + i];
      args.y[t * args.D + i] = sum;
    }
}

void top_k(const TopKArgs& args, const Lane&) {
  for (std::int64_t t = 0; t < args.T; ++t) {
    const float* x = args.x + t * args.E;
    float* value = args.value + t * args.K;
    std::int32_t* index = args.index + t * args.K;
    // Insertion into a sorted list of at most K; later equals go behind earlier ones.
    std::int64_t kept = 0;
    for (std::int64_t e = 0; e < args.E; ++e) {
      std::int64_t at = kept;
      while (at > 0 && goes_before(x[e], value[at - 1])) --at;
      if (at == args.K) continue;
      if (kept < args.K) ++kept;
      for (std::int64_t j = kept - 1; j > at; --j) {
        value[j] = value[j - 1];
        index[j] = index[j - 1];
      }
      value[at] = x[e];
      index[at] = static_cast<std::int32_t>(e);
    }
  }
}

}  // namespace herd::ref
