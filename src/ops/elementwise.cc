#include "ops/elementwise.h"

#include <algorithm>

#include "ops/expect.h"

namespace herd {

Tensor add(Context& ctx, const Tensor& a, const Tensor& b) {
  HERD_CHECK(a.shape == b.shape, "{} + {}", a.shape.text(), b.shape.text());
  Tensor y = ctx.like(a);
  ctx.kernels.add({.a = a.as<float>().data(),
                   .b = b.as<float>().data(),
                   .y = y.as<float>().data(),
                   .count = a.elements()},
                  ctx.lane);
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
  return y_TI;
}

Tensor gelu(Context& ctx, const Tensor& x) {
  Tensor y = ctx.like(x);
  ctx.kernels.gelu({.x = x.as<float>().data(), .y = y.as<float>().data(), .count = x.elements()},
                   ctx.lane);
  return y;
}

Tensor sigmoid(Context& ctx, const Tensor& x) {
  Tensor y = ctx.like(x);
  ctx.kernels.sigmoid({.x = x.as<float>().data(), .y = y.as<float>().data(), .count = x.elements()},
                      ctx.lane);
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
  return y;
}

void copy(const Tensor& from, const Tensor& to) {
  HERD_CHECK(from.elements() == to.elements(), "copy {} to {}", from.shape.text(), to.shape.text());
  std::ranges::copy(from.as<float>(), to.as<float>().begin());
}

}  // namespace herd
