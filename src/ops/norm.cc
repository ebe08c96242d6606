#include "ops/norm.h"

#include "ops/expect.h"

namespace herd {

Tensor rms_norm(Context& ctx, const Tensor& x_TD, const Tensor& weight_D, float eps) {
  Dim T{"T"}, D{"D"};
  expect(x_TD, {T, D});
  expect(weight_D, {D});
  Tensor y_TD = ctx.like(x_TD);
  ctx.kernels.rms_norm({.x = x_TD.as<float>().data(),
                        .weight = weight_D.as<float>().data(),
                        .y = y_TD.as<float>().data(),
                        .T = T.size(),
                        .D = D.size(),
                        .eps = eps},
                       ctx.lane);
  return y_TD;
}

Tensor unit_norm(Context& ctx, const Tensor& x_TNd, float eps) {
  Dim T{"T"}, N{"N"}, d{"d"};
  expect(x_TNd, {T, N, d});
  Tensor y_TNd = ctx.like(x_TNd);
  ctx.kernels.rms_norm({.x = x_TNd.as<float>().data(),
                        .weight = nullptr,
                        .y = y_TNd.as<float>().data(),
                        .T = T.size() * N.size(),
                        .D = d.size(),
                        .eps = eps},
                       ctx.lane);
  return y_TNd;
}

Tensor layer_norm(Context& ctx, const Tensor& x_TD, const Tensor& weight_D, const Tensor& bias_D,
                  float eps) {
  Dim T{"T"}, D{"D"};
  expect(x_TD, {T, D});
  expect(weight_D, {D});
  expect(bias_D, {D});
  Tensor y_TD = ctx.like(x_TD);
  ctx.kernels.layer_norm({.x = x_TD.as<float>().data(),
                          .weight = weight_D.as<float>().data(),
                          .bias = bias_D.as<float>().data(),
                          .y = y_TD.as<float>().data(),
                          .T = T.size(),
                          .D = D.size(),
                          .eps = eps},
                         ctx.lane);
  return y_TD;
}

}  // namespace herd
