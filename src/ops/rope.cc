#include "ops/rope.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "ops/expect.h"
#include "ops/tape.h"

namespace herd {

Angles rope_angles(Context& ctx, std::span<const std::int64_t> position_T,
                   std::span<const float> frequency_P) {
  const auto rows = static_cast<std::int64_t>(position_T.size());
  const auto pairs = static_cast<std::int64_t>(frequency_P.size());
  Angles angles{ctx.empty({rows, pairs}), ctx.empty({rows, pairs})};
  float* cosine = angles.cos_TP.as<float>().data();
  float* sine = angles.sin_TP.as<float>().data();
  for (const std::int64_t position : position_T)
    for (const float frequency : frequency_P) {
      const float angle = static_cast<float>(position) * frequency;
      *cosine++ = static_cast<float>(std::cos(static_cast<double>(angle)));
      *sine++ = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  return angles;
}

Tensor rope(Context& ctx, const Tensor& x_TNd, const Angles& angles) {
  Dim T{"T"}, N{"N"}, d{"d"};
  expect(x_TNd, {T, N, d});
  Dim P{"d/2", d.size() / 2};
  expect(angles.cos_TP, {T, P});
  expect(angles.sin_TP, {T, P});
  Tensor y_TNd = ctx.like(x_TNd);
  const std::int64_t stride = N.size() * d.size();
  ctx.kernels.rope({.x = x_TNd.as<float>().data(),
                    .cos = angles.cos_TP.as<float>().data(),
                    .sin = angles.sin_TP.as<float>().data(),
                    .y = y_TNd.as<float>().data(),
                    .T = T.size(),
                    .N = N.size(),
                    .d = d.size(),
                    .x_stride = stride,
                    .y_stride = stride},
                   ctx.lane);
  if (ctx.tape != nullptr)
    ctx.tape->record(y_TNd, {x_TNd.data}, [&ctx, tape = ctx.tape, x_TNd, angles](const Tensor& dy) {
      Angles back{angles.cos_TP, ctx.like(angles.sin_TP)};  // a rotation's transpose turns back
      std::ranges::transform(angles.sin_TP.as<float>(), back.sin_TP.as<float>().begin(),
                             std::negate());
      tape->give(x_TNd, rope(ctx, dy, back));
    });
  return y_TNd;
}

}  // namespace herd
