#include "ops/loss.h"

#include <algorithm>

#include "ops/expect.h"
#include "ops/tape.h"

namespace herd {
namespace {

// Rows whose logits are held at once: enough for the matrix product, few for a vocabulary of 200 thousand.
constexpr std::int64_t rows_at_once = 256;

}  // namespace

Tensor cross_entropy(Context& ctx, const Tensor& h_nD, const Matrix& output,
                     std::span<const std::int32_t> target_n, std::span<const float> weight_n) {
  Dim n{"n", static_cast<std::int64_t>(target_n.size())}, D{"D", output.in};
  expect(h_nD, {n, D});
  HERD_CHECK(weight_n.size() == target_n.size(), "{} weights for {} targets", weight_n.size(),
             target_n.size());
  const Tensor loss_n = ctx.empty({n.size()});
  Tensor dh_nD;
  if (ctx.tape != nullptr) dh_nD = ctx.like(h_nD);
  for (std::int64_t row = 0; row < n.size(); row += rows_at_once) {
    const Scratch scratch(ctx);
    const std::int64_t rows = std::min(rows_at_once, n.size() - row);
    const Tensor logits = ctx.empty({rows, output.out});
    const float* h = h_nD.as<float>().data() + row * D.size();
    MatmulGroup group{.weight = output, .row_begin = 0, .row_end = rows};
    ctx.kernels.matmul({.x = h,
                        .x_stride = D.size(),
                        .y = logits.as<float>().data(),
                        .y_stride = output.out,
                        .groups = &group,
                        .num_groups = 1},
                       ctx.lane);
    ctx.kernels.cross_entropy({.logits = logits.as<float>().data(),
                               .target = target_n.data() + row,
                               .weight = weight_n.data() + row,
                               .loss = loss_n.as<float>().data() + row,
                               .T = rows,
                               .V = output.out},
                              ctx.lane);
    if (ctx.tape == nullptr) continue;
    group.weight.layout = Layout::in_out;  // the same numbers, from V back to D
    group.weight.in = output.out;
    group.weight.out = output.in;
    ctx.kernels.matmul({.x = logits.as<float>().data(),
                        .x_stride = output.out,
                        .y = dh_nD.as<float>().data() + row * D.size(),
                        .y_stride = D.size(),
                        .groups = &group,
                        .num_groups = 1},
                       ctx.lane);
    float* dw = ctx.tape->leaf(output.data);
    if (dw == nullptr) continue;
    const WeightGradGroup grad{.dw = dw,
                               .out = output.out,
                               .in = output.in,
                               .stride = output.stride,
                               .row_begin = 0,
                               .row_end = rows};
    ctx.kernels.weight_grad({.x = h,
                             .x_stride = D.size(),
                             .dy = logits.as<float>().data(),
                             .dy_stride = output.out,
                             .groups = &grad,
                             .num_groups = 1},
                            ctx.lane);
  }
  if (ctx.tape != nullptr) ctx.tape->give(h_nD, dh_nD);
  return loss_n;
}

}  // namespace herd
