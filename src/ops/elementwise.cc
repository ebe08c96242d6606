#include "ops/elementwise.h"

#include <algorithm>

#include "ops/expect.h"
#include "ops/tape.h"

namespace herd {
namespace {

// to[t, first + i] = from[t, from_first + i] for i < width.
void copy_columns(const Tensor& from, std::int64_t from_first, const Tensor& to, std::int64_t first,
                  std::int64_t width) {
  for (std::int64_t t = 0; t < to.rows(); ++t)
    std::copy_n(from.as<float>().data() + t * from.shape[1] + from_first, width,
                to.as<float>().data() + t * to.shape[1] + first);
}

}  // namespace

Tensor add(Context& ctx, const Tensor& a, const Tensor& b) {
  HERD_CHECK(a.shape == b.shape, "{} + {}", a.shape.text(), b.shape.text());
  Tensor y = ctx.like(a);
  ctx.kernels.add({.a = a.as<float>().data(),
                   .b = b.as<float>().data(),
                   .y = y.as<float>().data(),
                   .count = a.elements()},
                  ctx.lane);
  if (ctx.tape != nullptr)
    ctx.tape->record(y, {a.data, b.data}, [tape = ctx.tape, a, b](const Tensor& dy) {
      tape->share(a, dy);
      tape->share(b, dy);
    });
  return y;
}

Tensor silu_mul(Context& ctx, const Tensor& gate_up_TF) {
  Dim T{"T"}, F{"2I"};
  expect(gate_up_TF, {T, F});
  HERD_CHECK(F.size() % 2 == 0, "gate and up together have an odd width {}", F.size());
  Tensor y_TI = ctx.empty({T.size(), F.size() / 2});
  ctx.kernels.silu_mul({.gate_up = gate_up_TF.as<float>().data(),
                        .y = y_TI.as<float>().data(),
                        .T = T.size(),
                        .I = F.size() / 2},
                       ctx.lane);
  if (ctx.tape != nullptr)
    ctx.tape->record(y_TI, {gate_up_TF.data},
                     [&ctx, tape = ctx.tape, gate_up_TF](const Tensor& dy) {
                       const Tensor d_gate_up = ctx.like(gate_up_TF);
                       ctx.kernels.silu_mul_grad({.gate_up = gate_up_TF.as<float>().data(),
                                                  .dy = dy.as<float>().data(),
                                                  .d_gate_up = d_gate_up.as<float>().data(),
                                                  .T = dy.shape[0],
                                                  .I = dy.shape[1]},
                                                 ctx.lane);
                       tape->give(gate_up_TF, d_gate_up);
                     });
  return y_TI;
}

Tensor gelu(Context& ctx, const Tensor& x) {
  Tensor y = ctx.like(x);
  ctx.kernels.gelu({.x = x.as<float>().data(), .y = y.as<float>().data(), .count = x.elements()},
                   ctx.lane);
  if (ctx.tape != nullptr)
    ctx.tape->record(y, {x.data}, [&ctx, tape = ctx.tape, x](const Tensor& dy) {
      const Tensor dx = ctx.like(x);
      ctx.kernels.gelu_grad({.x = x.as<float>().data(),
                             .dy = dy.as<float>().data(),
                             .dx = dx.as<float>().data(),
                             .count = x.elements()},
                            ctx.lane);
      tape->give(x, dx);
    });
  return y;
}

Tensor sigmoid(Context& ctx, const Tensor& x) {
  Tensor y = ctx.like(x);
  ctx.kernels.sigmoid({.x = x.as<float>().data(), .y = y.as<float>().data(), .count = x.elements()},
                      ctx.lane);
  if (ctx.tape != nullptr)
    ctx.tape->record(y, {x.data}, [&ctx, tape = ctx.tape, x, y](const Tensor& dy) {
      const Tensor dx = ctx.like(x);  // dy s (1 - s); only the router's few numbers come this way
      std::ranges::transform(y.as<float>(), dy.as<float>(), dx.as<float>().begin(),
                             [](float s, float d) { return d * s * (1.0f - s); });
      tape->give(x, dx);
    });
  return y;
}

Tensor beside(Context& ctx, const Tensor& a_TI, const Tensor& b_TJ) {
  Dim T{"T"}, I{"I"}, J{"J"};
  expect(a_TI, {T, I});
  expect(b_TJ, {T, J});
  const Tensor y = ctx.empty({T.size(), I.size() + J.size()});
  copy_columns(a_TI, 0, y, 0, I.size());
  copy_columns(b_TJ, 0, y, I.size(), J.size());
  if (ctx.tape != nullptr)
    ctx.tape->record(y, {a_TI.data, b_TJ.data},
                     [&ctx, tape = ctx.tape, a_TI, b_TJ](const Tensor& dy) {
                       const Tensor da = ctx.like(a_TI), db = ctx.like(b_TJ);
                       copy_columns(dy, 0, da, 0, a_TI.shape[1]);
                       copy_columns(dy, a_TI.shape[1], db, 0, b_TJ.shape[1]);
                       tape->give(a_TI, da);
                       tape->give(b_TJ, db);
                     });
  return y;
}

Tensor scale_rows(Context& ctx, const Tensor& x, std::span<const float> factor_T) {
  const std::int64_t rows = x.rows();
  HERD_CHECK(static_cast<std::int64_t>(factor_T.size()) == rows, "{} factors for {} rows",
             factor_T.size(), rows);
  Tensor y = ctx.like(x);
  const std::int64_t width = rows == 0 ? 0 : x.elements() / rows;
  ctx.kernels.scale_rows({.x = x.as<float>().data(),
                          .factor = factor_T.data(),
                          .y = y.as<float>().data(),
                          .T = rows,
                          .D = width,
                          .x_stride = width,
                          .y_stride = width},
                         ctx.lane);
  if (ctx.tape != nullptr)  // the factors are not learned
    ctx.tape->record(y, {x.data}, [&ctx, tape = ctx.tape, x, factor_T](const Tensor& dy) {
      tape->give(x, scale_rows(ctx, dy, factor_T));
    });
  return y;
}

void copy(const Tensor& from, const Tensor& to) {
  HERD_CHECK(from.elements() == to.elements(), "copy {} to {}", from.shape.text(), to.shape.text());
  std::ranges::copy(from.as<float>(), to.as<float>().begin());
}

}  // namespace herd
