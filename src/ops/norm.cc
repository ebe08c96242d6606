#include "ops/norm.h"

#include "ops/expect.h"
#include "ops/tape.h"

namespace herd {

namespace {

// Rows of width D, with a weight or without.
void record_rms_norm(Context& ctx, const Tensor& x, const Tensor& weight_D, const Tensor& y,
                     std::int64_t D, float eps) {
  ctx.tape->record(
      y, {x.data, weight_D.data}, [&ctx, tape = ctx.tape, x, weight_D, D, eps](const Tensor& dy) {
        const Tensor dx = ctx.like(x);
        const std::int64_t rows = x.elements() / D;
        ctx.kernels.rms_norm_grad({.x = x.as<float>().data(),
                                   .weight = weight_D ? weight_D.as<float>().data() : nullptr,
                                   .dy = dy.as<float>().data(),
                                   .dx = dx.as<float>().data(),
                                   .dw = tape->leaf(weight_D.data),
                                   .rows = ctx.array<float>(rows).data(),
                                   .T = rows,
                                   .D = D,
                                   .eps = eps},
                                  ctx.lane);
        tape->give(x, dx);
      });
}

}  // namespace

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
  if (ctx.tape != nullptr) record_rms_norm(ctx, x_TD, weight_D, y_TD, D.size(), eps);
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
  if (ctx.tape != nullptr) record_rms_norm(ctx, x_TNd, {}, y_TNd, d.size(), eps);
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
  if (ctx.tape != nullptr)
    ctx.tape->record(y_TD, {x_TD.data, weight_D.data, bias_D.data},
                     [&ctx, tape = ctx.tape, x_TD, weight_D, bias_D, eps](const Tensor& dy_TD) {
                       const Tensor dx_TD = ctx.like(x_TD);
                       ctx.kernels.layer_norm_grad(
                           {.x = x_TD.as<float>().data(),
                            .weight = weight_D.as<float>().data(),
                            .dy = dy_TD.as<float>().data(),
                            .dx = dx_TD.as<float>().data(),
                            .dw = tape->leaf(weight_D.data),
                            .db = tape->leaf(bias_D.data),
                            .rows = ctx.array<float>(2 * x_TD.rows()).data(),
                            .T = x_TD.shape[0],
                            .D = x_TD.shape[1],
                            .eps = eps},
                           ctx.lane);
                       tape->give(x_TD, dx_TD);
                     });
  return y_TD;
}

}  // namespace herd
