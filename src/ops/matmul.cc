#include "ops/matmul.h"

#include <vector>

#include "ops/expect.h"

namespace herd {
namespace {

Tensor run(Context& ctx, const Tensor& x, std::int64_t out, std::span<const MatmulGroup> groups) {
  const std::int64_t rows = x.shape[0];
  Tensor y = ctx.empty({rows, out});
  ctx.kernels.matmul({.x = x.as<float>().data(),
                      .x_stride = x.shape[1],
                      .y = y.as<float>().data(),
                      .y_stride = out,
                      .groups = groups.data(),
                      .num_groups = static_cast<std::int64_t>(groups.size())},
                     ctx.lane);
  return y;
}

}  // namespace

Tensor matmul(Context& ctx, const Tensor& x_TI, const Matrix& weight, const Tensor& bias) {
  Dim T{"T"}, I{"in", weight.in}, O{"out", weight.out};
  expect(x_TI, {T, I});
  if (bias) expect(bias, {O});
  const MatmulGroup group{.weight = weight,
                          .bias = bias ? bias.as<float>().data() : nullptr,
                          .row_begin = 0,
                          .row_end = T.size(),
                          .y_column = 0};
  return run(ctx, x_TI, weight.out, {&group, 1});
}

Tensor matmul_side_by_side(Context& ctx, const Tensor& x_TI,
                           std::initializer_list<Matrix> weights) {
  std::vector<MatmulGroup> groups;
  std::int64_t out = 0;
  for (const Matrix& weight : weights) {
    Dim T{"T"}, I{"in", weight.in};
    expect(x_TI, {T, I});
    groups.push_back(
        {.weight = weight, .bias = nullptr, .row_begin = 0, .row_end = T.size(), .y_column = out});
    out += weight.out;
  }
  return run(ctx, x_TI, out, groups);
}

Tensor matmul_by_expert(Context& ctx, const Tensor& x_RI, std::span<const Matrix> first,
                        std::span<const Matrix> second, std::span<const std::int64_t> begin) {
  HERD_CHECK(begin.size() == first.size() + 1 && (second.empty() || second.size() == first.size()),
             "{} experts, {} bounds, {} second matrices", first.size(), begin.size(),
             second.size());
  Dim R{"R", begin.back()}, I{"in", first.front().in};
  expect(x_RI, {R, I});
  std::vector<MatmulGroup> groups;
  for (std::size_t expert = 0; expert < first.size(); ++expert) {
    if (begin[expert] == begin[expert + 1]) continue;
    MatmulGroup group{.weight = first[expert],
                      .bias = nullptr,
                      .row_begin = begin[expert],
                      .row_end = begin[expert + 1],
                      .y_column = 0};
    groups.push_back(group);
    if (second.empty()) continue;
    group.weight = second[expert];
    group.y_column = first[expert].out;
    groups.push_back(group);
  }
  const std::int64_t out = first.front().out + (second.empty() ? 0 : second.front().out);
  return run(ctx, x_RI, out, groups);
}

}  // namespace herd
